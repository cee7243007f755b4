"""Events of notifications, notification preferences and phone numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor
from taskmanager.core.security.signed_tokens import fingerprint


@dataclass(frozen=True)
class RecipientFact(Fact):
    """Base of the events about the notifications of a user, who causes them unless a subclass says otherwise."""

    user_id: ObjectId

    def stream(self) -> str:
        return f"user:{self.user_id}"

    def subject(self) -> ObjectId:
        return self.user_id

    def actor_id(self) -> ObjectId | None:
        return self.user_id


@dataclass(frozen=True)
class TimesChanged(RecipientFact):
    """A user changed when notifications are sent: quiet hours or digests."""

    kind: ClassVar[str] = "preferences.times_changed"


@dataclass(frozen=True)
class PreferencesChanged(RecipientFact):
    """A user changed notification preferences: in general, or those for a project."""

    project_id: ObjectId | None = None
    kind: ClassVar[str] = "preferences.changed"

    def data(self) -> dict[str, Any]:
        return {"project_id": self.project_id} if self.project_id else {}


@dataclass(frozen=True)
class NotificationsChanged(RecipientFact):
    """Notifications of a user were made, marked, changed or deleted; `actor` is None for the service."""

    notification_ids: Sequence[ObjectId]
    actor: Actor | None = None
    kind: ClassVar[str] = "notifications.changed"

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id if self.actor else None

    def data(self) -> dict[str, Any]:
        return {"notification_ids": list(self.notification_ids)}


@dataclass(frozen=True)
class PhoneFact(Fact):
    """An event of the phone number of a user. The event does not hold the number."""

    phone: Any
    actor: Actor
    audited: ClassVar[bool] = True

    def stream(self) -> str:
        return f"user:{self.phone.user_id}"

    def subject(self) -> ObjectId:
        return self.phone.user_id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id


@dataclass(frozen=True)
class PhoneCodeRequested(PhoneFact):
    """A code was requested. `code` is a fingerprint of its nonce, which does not reveal the code."""

    kind: ClassVar[str] = "phone.code_requested"

    def data(self) -> dict[str, Any]:
        return {"code": fingerprint(self.phone.nonce)}


@dataclass(frozen=True)
class PhoneVerified(PhoneFact):
    kind: ClassVar[str] = "phone.verified"


@dataclass(frozen=True)
class PhoneRemoved(PhoneFact):
    kind: ClassVar[str] = "phone.removed"
