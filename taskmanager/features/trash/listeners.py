"""What the trash does from time to time."""

import structlog

from taskmanager.core.events.schedule import every
from taskmanager.features.trash import service as trash

log = structlog.get_logger("taskmanager.trash")


@every(60, name="tasks.trash")
def empty_trash() -> None:
    """Purge what has been in the trash longer than the operator keeps it, and go on with what was begun."""
    if purged := trash.purge_old():
        log.info("trash", purged=purged)
