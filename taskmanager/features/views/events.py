"""The events of saved views."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class ViewFact(Fact):
    """Base of the events of saved views; those of a view that is not shared are in the stream of its owner."""

    view: Any
    actor: Actor
    changes: dict[str, list[Any]] | None = None

    def stream(self) -> str:
        return f"project:{self.view.project_id}" if self.view.shared else f"user:{self.view.owner_id}"

    def subject(self) -> ObjectId:
        return self.view.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"name": self.view.name, "shared": self.view.shared, "project_id": self.view.project_id} | (
            {"changes": self.changes} if self.changes else {}
        )


@dataclass(frozen=True)
class ViewCreated(ViewFact):
    kind: ClassVar[str] = "view.created"


@dataclass(frozen=True)
class ViewUpdated(ViewFact):
    kind: ClassVar[str] = "view.updated"


@dataclass(frozen=True)
class ViewUnshared(ViewFact):
    """The view is not shared any more: in the stream of the project, whose members cease to see it."""

    kind: ClassVar[str] = "view.unshared"

    def stream(self) -> str:
        return f"project:{self.view.project_id}"

    def data(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class ViewDeleted(ViewFact):
    kind: ClassVar[str] = "view.deleted"
