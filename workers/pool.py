"""`taskmanager workers`: several workers on this machine, each of which is restarted when it ends."""

import signal
import subprocess
import sys
import time
from types import FrameType

import structlog

from config import logging
from taskmanager.core.child import wrap
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.retry import RetryPolicy
from workers import fitness, stopping

log = structlog.get_logger("taskmanager.pool")

_LOOK_SECONDS = 0.2
_RESTART, _STEADY_SECONDS = RetryPolicy(first_seconds=0.5, max_seconds=30.0), 60.0
_STOP_SECONDS = 75  # a job takes at most a minute, and so do the deliveries of the thread pools


class _WorkerSlot:
    """One worker, and its restarts: the delay before a restart grows while the worker keeps ending early."""

    def __init__(self, command: list[str]) -> None:
        self._command, self._start_at, self._began = command, 0.0, 0.0
        self._failures = 0  # consecutive early ends
        self.process: subprocess.Popen[bytes] | None = None

    def look(self) -> None:
        """Start the worker when it is due; plan the restart when it has ended."""
        moment = time.monotonic()
        if self.process is None and moment >= self._start_at:
            self.process, self._began = subprocess.Popen(wrap(self._command)), moment  # noqa: S603 our own command line
        elif self.process is not None and self.process.poll() is not None:
            steady = moment - self._began > _STEADY_SECONDS
            self._failures = 0 if steady else self._failures + 1
            pause = _RESTART.seconds(self._failures) if self._failures else 0.0
            log.warning("a worker ended", code=self.process.returncode, again_s=pause)
            self.process, self._start_at = None, moment + pause


class Pool:
    """Several worker slots, which work until a signal."""

    def __init__(self, number: int) -> None:
        self._slots = [_WorkerSlot([sys.executable, "-m", "workers.cli", "worker"]) for _ in range(number)]
        self._stopping = False

    def run(self) -> None:
        """Run the workers until SIGTERM or SIGINT; then each worker finishes its job."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        stopping.ignore_sigusr1()
        log.info("started", workers=len(self._slots))
        while not self._stopping:
            for slot in self._slots:
                slot.look()
            time.sleep(_LOOK_SECONDS)
        self._end()

    def _end(self) -> None:
        running = [slot.process for slot in self._slots if slot.process and slot.process.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
        log.info("stopped")

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True


def main(settings: Settings, number: int | None) -> None:
    """Run `number` workers; None means the number of the settings."""
    logging.configure(settings)
    fitness.check_before_forks(settings)
    Pool(number or settings.worker_processes).run()
