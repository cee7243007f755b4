"""The metrics of a process: it counts in files that the processes of this machine share."""

from contextlib import suppress

from taskmanager.core.telemetry import metric_files
from taskmanager.core.telemetry.process_metrics import ProcessMetrics
from workers import heartbeat

_PURPOSE = "-metrics"


def start(role: str) -> None:
    """Count in the files, and write what this process takes. Without a folder it counts in its own memory."""
    with suppress(OSError):
        metric_files.share(heartbeat.folder(_PURPOSE))
    ProcessMetrics(role).start()


def end() -> None:
    """Delete the files when this was the last process of the service on this machine."""
    with suppress(OSError):
        metric_files.purge(heartbeat.folder(_PURPOSE))
