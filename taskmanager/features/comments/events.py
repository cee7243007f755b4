"""What happens to comments."""

from dataclasses import dataclass
from typing import Any, ClassVar

from taskmanager.features.tasks.events import TaskFact


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
