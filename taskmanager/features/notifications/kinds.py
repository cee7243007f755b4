"""The kinds of notices: their titles in preferences, and the channels that are on by default."""

from typing import NamedTuple

from taskmanager.core.localization.languages import marked
from taskmanager.core.registry import Part


class Kind(NamedTuple):
    """One kind of notice. `on` are the channels that send it unless a user chooses otherwise.

    `urgent` notices are sent at once; others wait for more notices about the same task, or for the user's digest.
    """

    on: frozenset[str]
    urgent: bool = False
    title: str = ""


_BOTH, _INSIDE = frozenset({"in_app", "email"}), frozenset({"in_app"})

KINDS: Part[Kind] = Part("notification_kinds")
OWN_KINDS = {
    "task.assigned": Kind(_BOTH, urgent=True, title=marked("A task was assigned to you")),
    "task.mentioned": Kind(_BOTH, urgent=True, title=marked("You were mentioned")),
    "task.reminder": Kind(_BOTH, urgent=True, title=marked("A reminder that you set")),
    "task.commented": Kind(_BOTH, title=marked("A comment on a task of yours")),
    "task.completed": Kind(_INSIDE, title=marked("A task of yours was completed")),
    "task.changed": Kind(_INSIDE, title=marked("A task of yours was changed")),
    "task.created": Kind(_INSIDE, title=marked("A new task in a project you follow")),
    "project.added": Kind(_INSIDE, urgent=True, title=marked("You were added to a project")),
    "project.invited": Kind(_BOTH, urgent=True, title=marked("You were invited to a project")),
    "share_links.closed": Kind(_BOTH, urgent=True, title=marked("Share links of a former member were closed")),
    "webhook.disabled": Kind(_BOTH, urgent=True, title=marked("A webhook of yours was disabled")),
}

# Notices about the account itself, and invitations: always by mail and at once; they cannot be turned off.
ALWAYS = "account"
# What the service did because of an action of a user: that user is notified, too.
CONSEQUENCES = {"share_links.closed"}
# The code that verifies a phone number: always sent to that number.
CODE = "phone.code"
UNCHOSEN = {ALWAYS: "email", CODE: "sms"}
