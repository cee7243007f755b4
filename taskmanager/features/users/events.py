"""What happens to accounts and sessions."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events import Fact


@dataclass(frozen=True)
class UserFact(Fact):
    """Something that happened to an account; `by` is who did it."""

    audited: ClassVar[bool] = True

    user: Any
    by: ObjectId | None = None

    def stream(self) -> str:
        return f"user:{self.user.id}"

    def subject(self) -> ObjectId:
        return self.user.id

    def actor_id(self) -> ObjectId | None:
        return self.by or self.user.id


@dataclass(frozen=True)
class UserRegistered(UserFact):
    kind: ClassVar[str] = "user.registered"


@dataclass(frozen=True)
class UserUpdated(UserFact):
    kind: ClassVar[str] = "user.updated"
    changes: Any = None

    def data(self) -> dict[str, Any]:
        return {"changes": self.changes}


@dataclass(frozen=True)
class SessionStarted(UserFact):
    kind: ClassVar[str] = "session.started"
    session: Any = None

    def data(self) -> dict[str, Any]:
        return {"session_id": self.session.id, "address": self.session.address}


@dataclass(frozen=True)
class SessionEnded(SessionStarted):
    kind: ClassVar[str] = "session.ended"
    because: str = "logout"

    def data(self) -> dict[str, Any]:
        return {"session_id": self.session.id, "because": self.because}
