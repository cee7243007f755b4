"""What happens to the ways in which people are told."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor
from taskmanager.core.security.signed_tokens import fingerprint


@dataclass(frozen=True)
class TimesChanged(Fact):
    """A user wants to be told at other times: of quiet hours, or of digests."""

    user_id: ObjectId
    kind: ClassVar[str] = "preferences.times_changed"

    def stream(self) -> str:
        return f"user:{self.user_id}"

    def subject(self) -> ObjectId:
        return self.user_id

    def actor_id(self) -> ObjectId:
        return self.user_id


@dataclass(frozen=True)
class PhoneFact(Fact):
    """Something that happened to a person's phone number, which the log does not say."""

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
    """`code` tells which one was asked for, and nothing of what it is."""

    kind: ClassVar[str] = "phone.code_requested"

    def data(self) -> dict[str, Any]:
        return {"code": fingerprint(self.phone.nonce)}


@dataclass(frozen=True)
class PhoneVerified(PhoneFact):
    kind: ClassVar[str] = "phone.verified"


@dataclass(frozen=True)
class PhoneRemoved(PhoneFact):
    kind: ClassVar[str] = "phone.removed"
