"""The settings of a process that uses the servers of a service, which `taskmanager up` may have started."""

import sys

import structlog

from config.settings import load
from taskmanager.core.configuration.settings import Settings, use
from taskmanager.core.errors import Misconfigured
from workers.data_folder import DataFolder


def _log_to_standard_error() -> None:
    """Keep log lines out of what a command prints; processes configure their logs afterwards."""
    if not structlog.is_configured():
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def effective_settings() -> Settings:
    """Return the settings; servers that they do not name are the embedded ones of a running `taskmanager up`.

    Raises Misconfigured when there is no database.
    """
    _log_to_standard_error()
    settings = load()
    found = DataFolder(settings.data_dir).addresses()
    if "mongodb_uri" not in settings.model_fields_set | set(found):
        raise Misconfigured(
            f"No service runs on {settings.data_dir}: use 'make run' first, or set TASKMANAGER_MONGODB_URI."
        )
    settings = load(**{name: uri for name, uri in found.items() if name not in settings.model_fields_set})
    use(settings)
    return settings
