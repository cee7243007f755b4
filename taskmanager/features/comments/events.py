"""The events of comments."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.features.tasks.events import TaskFact


@dataclass(frozen=True)
class CommentFact(TaskFact):
    """Base of the events of comments; `mentioned` are the ids of newly mentioned members."""

    comment: Any = None
    mentioned: Iterable[ObjectId] = ()

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
    """A user added or removed a reaction; `changes` is {emoji: [given before, given after]}."""

    kind: ClassVar[str] = "comment.reacted"
