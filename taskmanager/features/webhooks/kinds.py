"""The events that programs can be told of, and what is said of each: nothing that its readers may not see."""

KINDS = (
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
PATTERNS = ("*", *sorted({f"{kind.split('.')[0]}.*" for kind in KINDS}), *KINDS)
TEST = "webhook.test"
# Of what an event remembers, this is told.
TOLD = ("changes", "comment_id", "mentioned", "attachment_id", "name", "user_id", "role", "revision")
# What an API token needs to read what each sort of event tells.
SCOPES = {
    "task": "tasks:read",
    "comment": "comments:read",
    "attachment": "tasks:read",
    "member": "members:read",
    "label": "projects:read",
    "project": "projects:read",
}
# Those whose subject is a task, which is told as it is now.
OF_TASKS = ("task.", "comment.", "attachment.")


def matches(patterns: list[str], kind: str) -> bool:
    """Whether an event of this kind is one of those that were chosen."""
    return "*" in patterns or kind in patterns or f"{kind.split('.')[0]}.*" in patterns
