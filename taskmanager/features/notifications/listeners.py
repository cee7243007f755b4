"""What notifications do when something happened, and at their time."""

import structlog

from taskmanager.core.events.log import Event, listen, project_of
from taskmanager.core.events.schedule import every
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.delivery import (
    maintenance,
    pending,
    retention,
)
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.projects.members import service as members

log = structlog.get_logger("taskmanager.notifications")


@listen(name="notifications.tell", queue="high", wanted=notifications.wanted, more_kinds=notices.kinds_with_notices)
def notify(event: Event) -> None:
    """Tell people of it."""
    notifications.notify(event)


@listen("comment.updated", "comment.deleted", name="notifications.renew", queue="low")
def refresh_in_app(event: Event) -> None:
    """Keep what people read of a comment as the comment is."""
    notifications.refresh_in_app(event.subject_id, event.data["comment_id"])


@listen("preferences.times_changed", "user.updated", name="notifications.rearrange", queue="high")
def reschedule_pending(event: Event) -> None:
    """Let what waits for a user come at the times that they want now."""
    if event.kind != "user.updated" or "timezone" in event.data.get("changes", {}):
        preferences.reschedule_pending(event.subject_id)


@listen("member.removed", name="notifications.members", queue="default")
def cancel_of_member(event: Event) -> None:
    """Cancel what waits for a user who is no member any more."""
    project_id, user_id = project_of(event), event.data["user_id"]
    if not members.are_members(project_id, [user_id]):
        pending.cancel(user_id, project_id)


@listen("task.purged", name="notifications.purged", queue="low")
def erase_task(event: Event) -> None:
    """Drop what people were told of a task that is gone for good."""
    retention.erase_task(event.subject_id)


@listen("user.deleted", name="notifications.leaving", queue="low")
def delete_of_account(event: Event) -> None:
    """Drop what an account that is gone was told, and wanted to be told."""
    notifications.delete_of_account(event.subject_id)
    retention.erase_name(event.subject_id)


@every(60, name="notifications.sweep")
def sweep() -> None:
    """Settle deliveries that were left between two steps."""
    if settled := maintenance.sweep():
        log.info("deliveries swept", settled=settled)
