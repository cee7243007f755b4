"""Listeners of webhooks."""

from taskmanager.core.events.log import Event, listen, project_of
from taskmanager.features.notifications import service as notifications
from taskmanager.features.webhooks import member_removal, service as webhooks
from taskmanager.features.webhooks.delivery import retention
from taskmanager.features.webhooks.kinds import KINDS


@listen(name="webhooks.tell", queue="default", wanted=webhooks.wanted, more_kinds=lambda: KINDS)
def notify(event: Event) -> None:
    """Send the event to the webhooks that want it."""
    webhooks.notify(event)


@listen("comment.deleted", name="webhooks.renew", queue="low")
def renew_comment(event: Event) -> None:
    """Delete the text of a deleted comment from stored bodies."""
    retention.refresh_comment(event.subject_id, event.data["comment_id"])


@listen(name="webhooks.disabled", queue="high")
def notify_owner(event: Event) -> None:
    """Handle events that earlier releases recorded for this listener; now `notifications.tell` handles them."""
    notifications.notify(event)


@listen("member.removed", name="webhooks.members", queue="default")
def pass_on(event: Event) -> None:
    """Give the webhooks of a former member in the project to an owner."""
    member_removal.pass_on(event.data["user_id"], project_of(event))


@listen("user.disabled", name="webhooks.disabled_accounts", queue="default")
def pass_on_all(event: Event) -> None:
    """Give the webhooks of a disabled account in projects to owners."""
    member_removal.pass_on(event.subject_id)


@listen("user.deleted", name="webhooks.leaving", queue="low")
def delete_of_account(event: Event) -> None:
    """Delete the webhooks of a deleted account."""
    webhooks.delete_of_account(event.subject_id)
