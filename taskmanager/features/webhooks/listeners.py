"""What webhooks do when something happened."""

from taskmanager.core.events.log import Event, listen, project_of
from taskmanager.features.notifications import service as notifications
from taskmanager.features.webhooks import member_removal as departure, service as webhooks
from taskmanager.features.webhooks.delivery import retention as remains
from taskmanager.features.webhooks.kinds import KINDS


@listen(name="webhooks.tell", queue="default", wanted=webhooks.wanted, more_kinds=lambda: KINDS)
def tell(event: Event) -> None:
    """Tell the programs that want to know."""
    webhooks.tell(event)


@listen("comment.deleted", name="webhooks.renew", queue="low")
def renew_comment(event: Event) -> None:
    """Forget the text of a deleted comment."""
    remains.renew_comment(event.subject_id, event.data["comment_id"])


@listen(name="webhooks.disabled", queue="high")
def tell_owner(event: Event) -> None:
    """Notify the owner of events that releases before 1.0 recorded for this listener; now `notifications.tell` does."""
    notifications.tell(event)


@listen("member.removed", name="webhooks.members", queue="default")
def pass_on(event: Event) -> None:
    """Give an owner the webhooks that a former member made for the project."""
    departure.pass_on(event.data["user_id"], project_of(event))


@listen("user.disabled", name="webhooks.disabled_accounts", queue="default")
def pass_on_all(event: Event) -> None:
    """Give owners the webhooks that an account which may not act made for projects."""
    departure.pass_on(event.subject_id)


@listen("user.deleted", name="webhooks.leaving", queue="low")
def forget(event: Event) -> None:
    """Drop the webhooks of an account that is gone."""
    webhooks.forget(event.subject_id)
