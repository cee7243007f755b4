"""What the audit log does by itself."""

import structlog

from taskmanager.core.schedule import every
from taskmanager.features.audit import service as audit

log = structlog.get_logger("taskmanager.audit")


@every(3600, name="audit.retention")
def end_of_retention() -> None:
    """Delete what is older than the operator keeps it."""
    log.info("audit log", removed=audit.remove_old())
