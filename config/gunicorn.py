"""gunicorn: `gunicorn -c python:config.gunicorn wsgi:app`. Values come from the settings of the service."""

from pathlib import Path
from typing import Any

from gunicorn import util

from config.server_errors import write_problem
from config.settings import load

_settings = load()
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
    """Called in each process once it has the application: hear the database's clock, and say what is wrong with it."""
    from taskmanager.core import server_report

    server_report.tell()
