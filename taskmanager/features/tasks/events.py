"""What happens to tasks."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class TaskFact(Fact):
    """Something that happened to a task. `changes` says of each changed field what it was and what it is."""

    task: Any
    actor: Actor | None
    changes: Any = None

    def stream(self) -> str:
        return f"project:{self.task.project_id}"

    def subject(self) -> ObjectId:
        return self.task.id

    def actor_id(self) -> ObjectId | None:
        return self.actor and self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"revision": self.task.revision, "changes": self.changes or {}}


@dataclass(frozen=True)
class TaskCreated(TaskFact):
    kind: ClassVar[str] = "task.created"


@dataclass(frozen=True)
class TaskUpdated(TaskFact):
    kind: ClassVar[str] = "task.updated"


@dataclass(frozen=True)
class TaskCompleted(TaskFact):
    kind: ClassVar[str] = "task.completed"


@dataclass(frozen=True)
class TaskReopened(TaskFact):
    kind: ClassVar[str] = "task.reopened"


@dataclass(frozen=True)
class TaskProgressed(TaskFact):
    """More or fewer of its subtasks are done."""

    kind: ClassVar[str] = "task.progressed"


@dataclass(frozen=True)
class TaskPlaced(TaskFact):
    """Stands elsewhere in the order by hand."""

    kind: ClassVar[str] = "task.placed"


@dataclass(frozen=True)
class TaskMovedOut(TaskFact):
    """Left for another project; told to the project that it left."""

    kind: ClassVar[str] = "task.moved_out"


@dataclass(frozen=True)
class TaskMovedIn(TaskFact):
    """Came from another project; told to the project that it is in now."""

    kind: ClassVar[str] = "task.moved_in"


@dataclass(frozen=True)
class TaskRelated(TaskFact):
    """Has a new relation; `changes` says its kind and the other task."""

    kind: ClassVar[str] = "task.related"


@dataclass(frozen=True)
class TaskUnrelated(TaskFact):
    """Has a relation no more; `changes` says its kind and the other task."""

    kind: ClassVar[str] = "task.unrelated"


@dataclass(frozen=True)
class TaskDeleted(TaskFact):
    kind: ClassVar[str] = "task.deleted"


@dataclass(frozen=True)
class TaskRestored(TaskFact):
    kind: ClassVar[str] = "task.restored"


@dataclass(frozen=True)
class TaskPurged(TaskFact):
    """Gone for good; without an actor when its days in the trash were over. Its attachments' contents are to go too."""

    kind: ClassVar[str] = "task.purged"
    audited: ClassVar[bool] = True
    content_ids: Any = ()

    def actor_id(self) -> ObjectId | None:
        return self.task.purged_by  # also where a later round finishes it

    def data(self) -> dict[str, Any]:
        return {**super().data(), "content_ids": list(self.content_ids)}


@dataclass(frozen=True)
class CommentFact(TaskFact):
    """Something that happened to a comment of the task; `mentioned` are those who are newly named in it."""

    comment: Any = None
    mentioned: Any = ()

    def data(self) -> dict[str, Any]:
        return {**super().data(), "comment_id": self.comment.id, "mentioned": list(self.mentioned)}


@dataclass(frozen=True)
class CommentCreated(CommentFact):
    kind: ClassVar[str] = "comment.created"


@dataclass(frozen=True)
class CommentUpdated(CommentFact):
    kind: ClassVar[str] = "comment.updated"


@dataclass(frozen=True)
class CommentDeleted(CommentFact):
    kind: ClassVar[str] = "comment.deleted"


@dataclass(frozen=True)
class CommentReacted(CommentFact):
    """A user added a reaction, or took one back; `changes` says which."""

    kind: ClassVar[str] = "comment.reacted"


@dataclass(frozen=True)
class AttachmentFact(TaskFact):
    """Something that happened to an attachment of the task."""

    attachment: Any = None

    def data(self) -> dict[str, Any]:
        named = {"attachment_id": self.attachment.id, "name": self.attachment.name}
        return {**super().data(), **named, "content_ids": [self.attachment.content_id]}


@dataclass(frozen=True)
class AttachmentAdded(AttachmentFact):
    kind: ClassVar[str] = "attachment.added"


@dataclass(frozen=True)
class AttachmentDeleted(AttachmentFact):
    kind: ClassVar[str] = "attachment.deleted"


@dataclass(frozen=True)
class ViewFact(Fact):
    """Something that happened to a saved view; one that is not shared is its owner's own affair."""

    view: Any
    actor: Actor
    changes: Any = None

    def stream(self) -> str:
        return f"project:{self.view.project_id}" if self.view.shared else f"user:{self.view.owner_id}"

    def subject(self) -> ObjectId:
        return self.view.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"name": self.view.name, "shared": self.view.shared} | (
            {"changes": self.changes} if self.changes else {}
        )


@dataclass(frozen=True)
class ViewCreated(ViewFact):
    kind: ClassVar[str] = "view.created"


@dataclass(frozen=True)
class ViewUpdated(ViewFact):
    kind: ClassVar[str] = "view.updated"


@dataclass(frozen=True)
class ViewDeleted(ViewFact):
    kind: ClassVar[str] = "view.deleted"


@dataclass(frozen=True)
class ReminderFact(Fact):
    """Something that happened to a user's reminder, which others do not see."""

    reminder: Any
    actor: Actor | None

    def stream(self) -> str:
        return f"user:{self.reminder.user_id}"

    def subject(self) -> ObjectId:
        return self.reminder.id

    def actor_id(self) -> ObjectId | None:
        return self.actor and self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"task_id": self.reminder.task_id}


@dataclass(frozen=True)
class ReminderSet(ReminderFact):
    kind: ClassVar[str] = "reminder.set"


@dataclass(frozen=True)
class ReminderChanged(ReminderFact):
    kind: ClassVar[str] = "reminder.changed"


@dataclass(frozen=True)
class ReminderDeleted(ReminderFact):
    kind: ClassVar[str] = "reminder.deleted"


@dataclass(frozen=True)
class ReminderFired(ReminderFact):
    """It was time to tell the person of the task; `moment` is when it should have been."""

    kind: ClassVar[str] = "reminder.fired"
    task: Any = None
    moment: Any = None

    def data(self) -> dict[str, Any]:
        return {
            **super().data(),
            "user_id": self.reminder.user_id,
            "moment": self.moment,
            "revision": self.task.revision,
        }
