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
