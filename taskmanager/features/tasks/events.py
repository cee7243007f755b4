"""The events of tasks."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class TaskFact(Fact):
    """Base of the events of tasks. `changes` maps each changed field to its values [before, after]."""

    task: Any
    actor: Actor | None
    changes: dict[str, list[Any]] | None = None

    def stream(self) -> str:
        return f"project:{self.task.project_id}"

    def subject(self) -> ObjectId:
        return self.task.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id if self.actor else None

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
    """The number of subtasks, or of done subtasks, has changed."""

    kind: ClassVar[str] = "task.progressed"


@dataclass(frozen=True)
class TaskRescheduled(TaskFact):
    """The task has another `due_at`, because the time zone of its project was changed."""

    kind: ClassVar[str] = "task.rescheduled"


@dataclass(frozen=True)
class TaskPlaced(TaskFact):
    """The task has another position."""

    kind: ClassVar[str] = "task.placed"


@dataclass(frozen=True)
class TaskMovedOut(TaskFact):
    """The task was moved to another project; in the stream of the project that it left."""

    kind: ClassVar[str] = "task.moved_out"
    ends_sight: ClassVar[bool] = True


@dataclass(frozen=True)
class TaskMovedIn(TaskFact):
    """The task was moved from another project; in the stream of the project that it is in now."""

    kind: ClassVar[str] = "task.moved_in"


@dataclass(frozen=True)
class TaskDeleted(TaskFact):
    kind: ClassVar[str] = "task.deleted"


@dataclass(frozen=True)
class TaskRestored(TaskFact):
    kind: ClassVar[str] = "task.restored"


@dataclass(frozen=True)
class TaskPurged(TaskFact):
    """The task was purged; without an actor when its days in the trash were over.

    `content_ids` are the contents of its attachments, which have to be deleted too.
    """

    kind: ClassVar[str] = "task.purged"
    audited: ClassVar[bool] = True
    content_ids: Iterable[ObjectId] = ()

    def actor_id(self) -> ObjectId | None:
        return self.task.purged_by  # also when a later run of the job finishes the purge

    def data(self) -> dict[str, Any]:
        return {**super().data(), "content_ids": list(self.content_ids)}
