"""The events that programs can be told of, and what is said of each: nothing that its readers may not see."""

from typing import NamedTuple

from taskmanager.core.registry import Part, derived


class WebhookKind(NamedTuple):
    """A kind of events, of the stream of a project, that programs can be notified of.

    `scope` is what an API token needs to read what such an event says; `of_task`: its subject is a task, which is sent
    as it is now; `data` names what else of the data of the event is sent, beside `SENT_DATA`.
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
# Of the data of an event, this is sent.
SENT_DATA = ("changes", "comment_id", "mentioned", "attachment_id", "name", "user_id", "role", "revision")
# What an API token needs to read what each sort of event tells.
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
    sort = kind.split(".")[0]
    return WebhookKind(_SCOPES[sort], of_task=sort in _OF_TASKS)


OWN_KINDS = {kind: _own(kind) for kind in _KINDS}


@derived
def patterns() -> tuple[str, ...]:
    """Return what a webhook can name: `*`, `task.*` and the like, and each kind."""
    return ("*", *sorted({f"{kind.split('.')[0]}.*" for kind in KINDS}), *KINDS)


def matches(patterns: list[str], kind: str) -> bool:
    """Return whether an event of this kind is one of those that were chosen."""
    return "*" in patterns or kind in patterns or f"{kind.split('.')[0]}.*" in patterns
