"""The kinds of events that webhooks can get, and which data of each is sent."""

from typing import NamedTuple

from taskmanager.core.registry import Part, derived


class WebhookKind(NamedTuple):
    """A kind of events, of the stream of a project, that webhooks can get.

    `scope` is the scope that an API token needs to read such events. `of_task`: the subject is a task, which is sent in
    its present state. `data` names members of the event's data that are sent in addition to `SENT_DATA`.
    """

    scope: str
    of_task: bool = False
    data: tuple[str, ...] = ()


KINDS: Part[WebhookKind] = Part("webhook_kinds")
_KINDS = (
    "task.created",
    "task.updated",
    "task.completed",
    "task.reopened",
    "task.deleted",
    "task.purged",
    "task.restored",
    "task.moved_in",
    "task.moved_out",
    "task.related",
    "task.unrelated",
    "comment.created",
    "comment.updated",
    "comment.deleted",
    "attachment.added",
    "attachment.deleted",
    "member.added",
    "member.changed",
    "member.removed",
    "label.created",
    "label.updated",
    "label.deleted",
    "project.updated",
    "project.archived",
    "project.unarchived",
    "project.deleted",
    "project.restored",
)
TEST = "webhook.test"
# The members of an event's data that are sent.
SENT_DATA = ("changes", "comment_id", "mentioned", "attachment_id", "name", "user_id", "role", "revision")
# The scope that an API token needs to read the events of each subject.
_SCOPES = {
    "task": "tasks:read",
    "comment": "comments:read",
    "attachment": "tasks:read",
    "member": "members:read",
    "label": "projects:read",
    "project": "projects:read",
}
_OF_TASKS = ("task", "comment", "attachment")


def _own(kind: str) -> WebhookKind:
    subject = kind.split(".")[0]
    return WebhookKind(_SCOPES[subject], of_task=subject in _OF_TASKS)


OWN_KINDS = {kind: _own(kind) for kind in _KINDS}


@derived
def patterns() -> tuple[str, ...]:
    """Return the patterns that a webhook can name: `*`, each subject as in `task.*`, and each kind."""
    return ("*", *sorted({f"{kind.split('.')[0]}.*" for kind in KINDS}), *KINDS)


def matches(patterns: list[str], kind: str) -> bool:
    """Return whether one of the patterns matches a kind of events."""
    return "*" in patterns or kind in patterns or f"{kind.split('.')[0]}.*" in patterns
