"""gunicorn: `gunicorn -c python:config.gunicorn wsgi:app`. Values come from the settings of the service."""

from pathlib import Path
from typing import Any

from gunicorn import util

from config.server_errors import write_problem
from config.settings import load
from taskmanager.core.errors import Misconfigured
from workers import fitness, stopping
from workers.heartbeat import Heartbeat
from workers.local_url import local_url

stopping.exit_on_signals(0)  # until gunicorn has handlers of its own: a process 1 would ignore the signal
try:
    _settings = load()
except Misconfigured as _error:
    fitness.refuse(_error)
_memory = Path("/dev/shm")  # noqa: S108 - a folder in memory, for heartbeats; on a disk they can stall a worker

bind = f"[{_settings.host}]:{_settings.port}" if ":" in _settings.host else f"{_settings.host}:{_settings.port}"
worker_class = "gthread"
workers = _settings.web_processes
threads = _settings.web_threads
keepalive = 5
graceful_timeout = 8
reload = _settings.reload

# The application writes one JSON line per request; the server reports only itself, on standard error.
accesslog = None
errorlog = "-"

limit_request_line = 8190
limit_request_fields = 100
limit_request_field_size = 8190

worker_tmp_dir = str(_memory) if _memory.is_dir() else None
util.write_error = write_problem
control_socket_disable = True  # it would lie in the home directory, where two services meet


def post_worker_init(worker: Any) -> None:
    """Observe the database's clock in each process that has the application, and log what is wrong with it."""
    from taskmanager.core.servers import server_report

    server_report.log_report()


def on_starting(server: Any) -> None:
    """End, with one sentence, what cannot work, before gunicorn listens."""
    fitness.check_before_forks(_settings)


def when_ready(server: Any) -> None:
    """Let health checks know where gunicorn listens."""
    global _heartbeat
    _heartbeat = Heartbeat("web", f"{local_url(_settings)}/health/live")


def on_exit(server: Any) -> None:
    """Clean up at gunicorn's end."""
    if _heartbeat:
        _heartbeat.end()


_heartbeat: Heartbeat | None = None
