"""The periodic job of the trash."""

import structlog

from taskmanager.core.events.schedule import every
from taskmanager.features.trash import service as trash

log = structlog.get_logger("taskmanager.trash")


@every(60, name="tasks.trash")
def empty_trash() -> None:
    """Purge tasks that have been in the trash for more than the configured days, and continue begun purges."""
    if purged := trash.purge_old():
        log.info("trash", purged=purged)
