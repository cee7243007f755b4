"""What tasks do by themselves."""

import structlog

from taskmanager.core.schedule import every
from taskmanager.features.tasks import trash

log = structlog.get_logger("taskmanager.tasks")


@every(3600, name="tasks.trash")
def empty_trash() -> None:
    """Purge what has been in the trash longer than the operator keeps it."""
    log.info("trash", purged=trash.purge_old())
