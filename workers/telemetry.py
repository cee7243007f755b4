"""What operators see of a process: it counts in files that all of this machine share, and follows changed levels."""

import signal
import threading
from contextlib import suppress

from config import log_levels
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.configuration.telemetry_settings import parse_levels
from taskmanager.core.telemetry import metric_files, traces
from taskmanager.core.telemetry.process_metrics import ProcessMetrics
from workers import heartbeat

PURPOSE = "-telemetry-2"  # of the folder; with a number, because a release before names its files otherwise


def start(settings: Settings, role: str) -> None:
    """Count in the files, and write what this process takes. Without a folder it counts in its own memory.

    Raises Misconfigured for settings whose packages are missing.
    """
    with suppress(OSError):
        folder = heartbeat.own_folder(PURPOSE)
        metric_files.share(folder)
        log_levels.watch(folder, settings.log_level, parse_levels(settings.log_levels))
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGUSR1, log_levels.debug_for_a_while)
    ProcessMetrics(role).start()
    traces.begin(settings, role)


def end() -> None:
    """Delete the files when this was the last process of the service on this machine."""
    with suppress(OSError):
        metric_files.purge(heartbeat.folder(PURPOSE))
