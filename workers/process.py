"""The start of processes other than the web server, and a loop under a lease that ends at a signal."""

import signal
import time
from collections.abc import Callable
from types import FrameType

import structlog
from flask import Flask
from pymongo.errors import PyMongoError

from config import logging
from taskmanager import plugins
from taskmanager.api import history
from taskmanager.app import create_app
from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.servers import server_report, service_state
from taskmanager.core.servers.stores import RedisError
from taskmanager.core.storage.lease import Lease
from taskmanager.core.telemetry import traces
from workers import fitness, probe, stopping, telemetry
from workers.effective_settings import effective_settings
from workers.heartbeat import Heartbeat

log = structlog.get_logger("taskmanager.process")

_STANDBY_SECONDS = 0.5
_SLICE_SECONDS = 0.1


def begin(heartbeat: Heartbeat | None = None) -> Settings:
    """Start a process as `begin_app` does; return its settings."""
    begin_app(heartbeat)
    return core_settings.current()


def begin_app(heartbeat: Heartbeat | None = None) -> Flask:
    """Create the application as the web server does, so that settings, listeners and plugins are the same.

    Waits for a database that is away. Ends the process, with a message, when settings, servers or the schema of the
    database are wrong; and at once at SIGTERM and SIGINT, for which the caller sets handlers afterwards.
    """
    stopping.exit_on_signals(0)
    try:
        settings = effective_settings()
        logging.configure(settings)
        app = create_app(settings)
        plugins.report()
    except TaskManagerError as error:
        fitness.refuse(error)
    fitness.wait(heartbeat.beat if heartbeat else lambda: None)
    _be_observed(settings, heartbeat.role if heartbeat else "")
    server_report.log_report()  # the first connection to the database also sets the clock
    return app


def _be_observed(settings: Settings, role: str) -> None:
    """Begin metrics, traces, history and probe; without a role traces alone, for RQ's plain worker.

    That one forks for each job, and each fork would leave files of metrics.
    """
    try:
        if not role:
            traces.begin(settings, "worker")
            return
        telemetry.start(settings, role)
    except TaskManagerError as error:
        fitness.refuse(error)
    history.start()
    probe.start(settings, role)


class LeasedLoop:
    """Calls `step` repeatedly while this process holds the lease `name`, but not while the service is in maintenance.

    `step` returns how much it did; after 0 the loop sleeps for `idle_seconds`. While a database or a store is away, the
    loop retries with backoff, and logs it once.
    """

    def __init__(self, name: str, step: Callable[[], int], *, idle_seconds: float, heartbeat: Heartbeat) -> None:
        self._step, self._idle_seconds, self._heartbeat = step, idle_seconds, heartbeat
        self._lease = Lease(name)
        self._log = log.bind(process=name)
        self._stopping = False
        self._failures = 0  # consecutive failures of servers
        self._held = self._paused = False
        self._watch = fitness.Watch()

    def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until the database does not fit this release any more."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        self._log.info("started")
        try:
            while not self._stopping:
                self._heartbeat.beat()
                self._watch.look()
                self._sleep(self._run_step())
        finally:
            self._release()
            self._heartbeat.end()
        self._log.info("stopped")

    def _run_step(self) -> float:
        """Run one step if this process holds the lease; return the seconds to sleep."""
        try:
            if not self._hold():
                return _STANDBY_SECONDS
            if self._is_paused():
                return service_state.FRESH_SECONDS / 2
            pause = 0.0 if self._step() else self._idle_seconds
        except (PyMongoError, RedisError) as error:
            return self._note_outage(error)
        self._note_recovery()
        return pause

    def _hold(self) -> bool:
        held = self._lease.hold()
        if held != self._held:
            self._log.info("working" if held else "standing by")
        self._held = held
        return held

    def _is_paused(self) -> bool:
        paused = service_state.is_paused()
        if paused != self._paused:
            self._log.info("pausing for maintenance" if paused else "working again")
        self._paused = paused
        return paused

    def _note_outage(self, error: Exception) -> float:
        if not self._failures:
            self._log.warning("a server is away", error=type(error).__name__)
        self._failures += 1
        return fitness.OUTAGE.seconds(self._failures)

    def _note_recovery(self) -> None:
        if self._failures:
            self._log.info("all servers respond again")
        self._failures = 0

    def _release(self) -> None:
        try:
            self._lease.release()
        except PyMongoError:
            self._log.warning("the lease was not released and will expire")

    def _sleep(self, seconds: float) -> None:
        """Sleep in slices, because `time.sleep` continues after a signal."""
        until = time.monotonic() + seconds
        while not self._stopping and (remaining := until - time.monotonic()) > 0:
            time.sleep(min(remaining, _SLICE_SECONDS))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
