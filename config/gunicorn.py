"""The configuration of `gunicorn -c python:config.gunicorn wsgi:app`. Values come from the settings of the service."""

import gc
import importlib
import linecache
from pathlib import Path
from typing import Any

from gunicorn import util

from workers.lean_imports import import_libraries

import_libraries()  # before the modules that use them

# ruff: noqa: E402
from config.server_errors import write_problem
from config.settings import load
from taskmanager.core.errors import Misconfigured
from workers import fitness, stopping, telemetry, unix_http
from workers.heaps import keep_one_heap
from workers.heartbeat import Heartbeat
from workers.local_url import local_url
from workers.slow_clients import MAX_WAITING

keep_one_heap()
stopping.exit_on_signals(0)  # until gunicorn sets its handlers: a process 1 would ignore the signals
try:
    _settings = load()
except Misconfigured as _error:
    fitness.refuse(_error)
_memory = Path("/dev/shm")  # noqa: S108 - a folder in memory, for heartbeats; on a disk they can stall a worker

if _settings.socket:
    bind = f"{unix_http.SCHEME}{_settings.socket}"
else:
    bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "workers.slow_clients.PatientWorker"
workers = _settings.web_processes
threads = _settings.web_threads + MAX_WAITING  # most of them only wait for slow clients
keepalive = 5
graceful_timeout = 8
reload = _settings.reload

# The application logs one JSON line per request; gunicorn logs only its own events, on standard error.
accesslog = None
errorlog = "-"

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

worker_tmp_dir = str(_memory) if _memory.is_dir() else None
util.write_error = write_problem
control_socket_disable = True  # it would be in the home directory, where two services conflict


def post_worker_init(worker: Any) -> None:
    """Connect to the database in each process of the application: that sets the clock, and logs its problems.

    Requests that wait for changes end when the process is to stop.
    """
    from taskmanager.api import history
    from taskmanager.core.servers import server_report
    from taskmanager.features.sync.waiting import waiters

    linecache.clearcache()  # the driver has read the source of all that made its client
    server_report.log_report()
    history.start()
    waiters.is_ending = lambda: not worker.alive


def on_starting(server: Any) -> None:
    """End the process with a message, before gunicorn listens, when the service cannot work.

    Imports the application for all processes, unless they are to import changed source.
    """
    if not _settings.reload:
        importlib.import_module("taskmanager.app")
    fitness.check_before_forks(_settings)


def when_ready(server: Any) -> None:
    """Write the URL of gunicorn for health checks, and let forks share what this process has made.

    The collector writes to each object that it visits, and what a fork writes to is copied for it.
    """
    global _heartbeat
    address = bind if _settings.socket else f"{local_url(_settings)}/health/live"
    _heartbeat = Heartbeat("web", address)
    gc.collect()
    gc.freeze()


def on_exit(server: Any) -> None:
    """Delete the heartbeat when gunicorn ends."""
    if _heartbeat:
        _heartbeat.end()
    telemetry.end()


_heartbeat: Heartbeat | None = None
