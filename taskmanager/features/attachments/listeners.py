"""The listener and the periodic jobs that delete contents of attachments."""

import structlog

from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.attachments import lost_contents, service as attachments

log = structlog.get_logger("taskmanager.attachments")


@listen("attachment.deleted", "task.purged", name="tasks.contents", queue="low")
def delete_contents(event: Event) -> None:
    """Delete the contents of deleted attachments and purged tasks."""
    attachments.delete_contents(event.data.get("content_ids", []))


@every(900, name="tasks.contents")
def delete_orphaned_uploads() -> None:
    """Delete contents of uploads that did not become attachments."""
    if dropped := attachments.delete_orphaned_uploads():
        log.info("loose contents", dropped=dropped)


@every(3600, name="tasks.lost_contents")
def delete_unreferenced_contents() -> None:
    """Delete contents in the store that no attachment or upload refers to."""
    if dropped := lost_contents.remove():
        log.info("lost contents", dropped=dropped)
