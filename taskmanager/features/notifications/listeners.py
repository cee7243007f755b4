"""Listeners and periodic jobs of notifications."""

import structlog

from taskmanager.core.events.log import Event, listen, project_of
from taskmanager.core.events.schedule import every
from taskmanager.features.notifications import service as notifications
from taskmanager.features.notifications.content import registry as notices
from taskmanager.features.notifications.delivery import maintenance, pending, retention
from taskmanager.features.notifications.preferences import service as preferences
from taskmanager.features.projects.members import service as members

log = structlog.get_logger("taskmanager.notifications")


@listen(name="notifications.tell", queue="high", wanted=notifications.wanted, more_kinds=notices.kinds_with_notices)
def notify(event: Event) -> None:
    """Notify users of the event."""
    notifications.notify(event)


@listen("comment.updated", "comment.deleted", name="notifications.renew", queue="low")
def refresh_in_app(event: Event) -> None:
    """Update the in-app notifications about a comment."""
    notifications.refresh_in_app(event.subject_id, event.data["comment_id"])


@listen("preferences.times_changed", "user.updated", name="notifications.rearrange", queue="high")
def reschedule_pending(event: Event) -> None:
    """Reschedule the pending deliveries of a user by their present times and time zone."""
    if event.kind != "user.updated" or "timezone" in event.data.get("changes", {}):
        preferences.reschedule_pending(event.subject_id)


@listen("member.removed", name="notifications.members", queue="default")
def cancel_of_member(event: Event) -> None:
    """Cancel the pending deliveries of a former member."""
    project_id, user_id = project_of(event), event.data["user_id"]
    if not members.are_members(project_id, [user_id]):
        pending.cancel(user_id, project_id)


@listen("task.purged", name="notifications.purged", queue="low")
def erase_task(event: Event) -> None:
    """Delete the notifications about a purged task."""
    retention.erase_task(event.subject_id)


@listen("user.deleted", name="notifications.leaving", queue="low")
def delete_of_account(event: Event) -> None:
    """Delete the notifications and preferences of a deleted account."""
    notifications.delete_of_account(event.subject_id)
    retention.erase_name(event.subject_id)


@every(60, name="notifications.sweep")
def sweep() -> None:
    """Repair deliveries that a worker left between two steps."""
    if settled := maintenance.sweep():
        log.info("deliveries swept", settled=settled)
