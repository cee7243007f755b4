"""Whether this process makes traces, by its settings."""

from importlib import import_module

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured


def begin(settings: Settings, role: str) -> None:
    """Begin to make traces when the settings name a receiver; else nothing of OpenTelemetry is imported.

    Raises Misconfigured when its packages are missing.
    """
    if not settings.traces_url:
        return
    try:
        module = import_module("taskmanager.core.telemetry.otlp")
    except ModuleNotFoundError as error:
        raise Misconfigured(
            f"TASKMANAGER_TRACES_URL needs the packages of taskmanager-backend[traces]: {error.name} is missing"
        ) from None
    module.begin(settings, role)
