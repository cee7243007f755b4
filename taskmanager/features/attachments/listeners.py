"""What follows for the contents of attachments from what happened, and what is done from time to time."""

import structlog

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.attachments import lost_contents, service as attachments

log = structlog.get_logger("taskmanager.attachments")


@listen("attachment.deleted", "task.purged", name="tasks.contents", queue="low")
def delete_contents(event: Event) -> None:
    """Drop the contents of attachments that are gone."""
    attachments.drop(event.data.get("content_ids", []))


@every(900, name="tasks.contents")
def delete_orphaned_uploads() -> None:
    """Drop contents that were stored and that no attachment came to."""
    log.info("loose contents", dropped=attachments.delete_orphaned_uploads())


@every(3600, name="tasks.lost_contents")
def delete_unreferenced_contents() -> None:
    """Drop contents that are in the store and that nothing refers to."""
    log.info("lost contents", dropped=lost_contents.remove())
