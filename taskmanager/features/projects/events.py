"""What happens to projects and memberships."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.access import Actor
from taskmanager.core.events import Fact


@dataclass(frozen=True)
class ProjectFact(Fact):
    """Something that happened to a project or to its members (`item` has a `project_id`)."""

    item: Any
    actor: Actor
    changes: Any = None

    def stream(self) -> str:
        return f"project:{self.item.project_id}"

    def subject(self) -> ObjectId:
        return self.item.id

    def actor_id(self) -> ObjectId:
        return self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"changes": self.changes} if self.changes else {}


@dataclass(frozen=True)
class ProjectCreated(ProjectFact):
    kind: ClassVar[str] = "project.created"


@dataclass(frozen=True)
class ProjectUpdated(ProjectFact):
    kind: ClassVar[str] = "project.updated"


@dataclass(frozen=True)
class ProjectDeleted(ProjectFact):
    kind: ClassVar[str] = "project.deleted"


@dataclass(frozen=True)
class MembershipFact(ProjectFact):
    """Something that happened to a membership: the log says whose and which role."""

    audited: ClassVar[bool] = True

    def data(self) -> dict[str, Any]:
        return {**super().data(), "user_id": self.item.user_id, "role": self.item.role}


@dataclass(frozen=True)
class MemberAdded(MembershipFact):
    kind: ClassVar[str] = "member.added"


@dataclass(frozen=True)
class MemberChanged(MembershipFact):
    kind: ClassVar[str] = "member.changed"


@dataclass(frozen=True)
class MemberRemoved(MembershipFact):
    kind: ClassVar[str] = "member.removed"
