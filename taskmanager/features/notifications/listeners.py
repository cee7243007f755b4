"""What notifications do when something happened."""

from taskmanager.core.events import Event, listen
from taskmanager.features.notifications import (
    account_mails,
    invitation_mails,  # noqa: F401 registers its mail
    mention_mails,
    reminder_mails,  # noqa: F401 registers its mail
)
from taskmanager.features.notifications import service as notifications


@listen("task.created", "task.updated", name="notifications.assignees", queue="high")
def mail_assignees(event: Event) -> None:
    """Mail those whom the event assigned to its task."""
    notifications.tell_assignees(event)


@listen(*account_mails.WRITERS, name="notifications.accounts", queue="high")
def mail_about_accounts(event: Event) -> None:
    """Write the mail of an event about an account or an invitation."""
    account_mails.send(event)


@listen("comment.created", "comment.updated", name="notifications.mentions", queue="high")
def mail_mentioned(event: Event) -> None:
    """Mail those whom a comment newly mentions."""
    mention_mails.tell_mentioned(event)


@listen("user.email_change_requested", name="notifications.old_address", queue="high")
def mail_old_address(event: Event) -> None:
    """Ask the present address of an account to confirm another."""
    account_mails.change_of_address(event, "old")


@listen("user.email_change_requested", name="notifications.new_address", queue="high")
def mail_new_address(event: Event) -> None:
    """Ask the new address of an account to confirm itself."""
    account_mails.change_of_address(event, "new")
