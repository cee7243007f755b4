"""Events of accounts and sessions."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact


def stream_of_address(email: str) -> str:
    """Return the stream of an address: a hash, so that the log does not reveal the address."""
    return f"address:{hashlib.sha256(email.encode()).hexdigest()[:24]}"


@dataclass(frozen=True)
class UserFact(Fact):
    """Something that happened to an account; `by` is the account that did it (None: the user)."""

    audited: ClassVar[bool] = True

    user: Any
    by: ObjectId | None = None
    by_operator: bool = False  # from the command line, without a login

    def stream(self) -> str:
        return f"user:{self.user.id}"

    def subject(self) -> ObjectId:
        return self.user.id

    def actor_id(self) -> ObjectId | None:
        return None if self.by_operator else self.by or self.user.id


@dataclass(frozen=True)
class UserRegistered(UserFact):
    kind: ClassVar[str] = "user.registered"


@dataclass(frozen=True)
class UserUpdated(UserFact):
    kind: ClassVar[str] = "user.updated"
    changes: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        return {"changes": self.changes}


@dataclass(frozen=True)
class UserDeleted(UserFact):
    """The account is anonymous from now on. `project_ids` are the projects that the user was a member of.

    `streams` are those of the account and of its addresses: a job still has to remove the personal data in them.
    """

    kind: ClassVar[str] = "user.deleted"
    project_ids: Iterable[ObjectId] = ()
    streams: Iterable[str] = ()

    def data(self) -> dict[str, Any]:
        return {"project_ids": list(self.project_ids), "streams": list(self.streams)}


@dataclass(frozen=True)
class UserDisabled(UserFact):
    kind: ClassVar[str] = "user.disabled"


@dataclass(frozen=True)
class UserEnabled(UserFact):
    kind: ClassVar[str] = "user.enabled"


@dataclass(frozen=True)
class UserRoleChanged(UserUpdated):
    kind: ClassVar[str] = "user.role_changed"


@dataclass(frozen=True)
class SessionsForcedOut(UserFact):
    kind: ClassVar[str] = "user.sessions_ended"


@dataclass(frozen=True)
class AddressConfirmed(UserFact):
    """The user has proved that mail to the address reaches them."""

    kind: ClassVar[str] = "user.email_verified"


@dataclass(frozen=True)
class PasswordChanged(UserFact):
    """The account has another password.

    `ended`: what a recovery ended, {collection: number of documents}. `unfinished`: the arguments for its next steps,
    if one was not enough (see `holdings`).
    """

    kind: ClassVar[str] = "user.password_changed"
    because: str = "change"
    ended: dict[str, int] | None = None
    unfinished: dict[str, Any] | None = None

    def data(self) -> dict[str, Any]:
        more = {"ended": self.ended, "unfinished": self.unfinished}
        return {"because": self.because, **{name: value for name, value in more.items() if value}}


@dataclass(frozen=True)
class EmailChangeRequested(UserFact):
    kind: ClassVar[str] = "user.email_change_requested"


@dataclass(frozen=True)
class EmailChanged(UserFact):
    """The account has another address. `before`: the former one, which is notified; mails go to the new one now."""

    kind: ClassVar[str] = "user.email_changed"
    before: str = ""

    def data(self) -> dict[str, Any]:
        return {"before": self.before}


@dataclass(frozen=True)
class AddressFact(Fact):
    """Something that an unknown caller requested for an address, whether or not it has an account."""

    audited: ClassVar[bool] = True

    email: str
    user: Any = None
    by: ObjectId | None = None

    def stream(self) -> str:
        return stream_of_address(self.email)

    def subject(self) -> ObjectId | None:
        return self.user.id if self.user else None

    def actor_id(self) -> ObjectId | None:
        return self.by

    def data(self) -> dict[str, Any]:
        return {"email": self.email}


@dataclass(frozen=True)
class PasswordResetRequested(AddressFact):
    kind: ClassVar[str] = "password_reset.requested"


@dataclass(frozen=True)
class VerificationRequested(AddressFact):
    kind: ClassVar[str] = "email_verification.requested"


@dataclass(frozen=True)
class RegistrationRequested(AddressFact):
    """A registration was requested. `registration_id`: the row that a worker handles."""

    kind: ClassVar[str] = "registration.requested"
    registration_id: ObjectId | None = None

    def data(self) -> dict[str, Any]:
        return {**super().data(), "registration_id": self.registration_id}


@dataclass(frozen=True)
class RegistrationRepeated(AddressFact):
    kind: ClassVar[str] = "registration.repeated"


@dataclass(frozen=True)
class LoginFailed(AddressFact):
    """A login failed. The event has the account if there is one, never what was typed: it may be a password."""

    kind: ClassVar[str] = "login.failed"

    def data(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class LoginFailedRepeatedly(LoginFailed):
    kind: ClassVar[str] = "login.failed_repeatedly"


@dataclass(frozen=True)
class IdentityLinked(UserFact):
    """A user of a login provider can log in to this account from now on."""

    kind: ClassVar[str] = "identity.linked"
    issuer: str = ""

    def data(self) -> dict[str, Any]:
        return {"issuer": self.issuer}


@dataclass(frozen=True)
class IdentityUnlinked(IdentityLinked):
    """A user of a login provider can no longer log in to this account."""

    kind: ClassVar[str] = "identity.unlinked"


@dataclass(frozen=True)
class TotpEnabled(UserFact):
    kind: ClassVar[str] = "totp.enabled"


@dataclass(frozen=True)
class TotpDisabled(UserFact):
    kind: ClassVar[str] = "totp.disabled"


@dataclass(frozen=True)
class RecoveryCodeUsed(UserFact):
    kind: ClassVar[str] = "totp.recovery_code_used"


@dataclass(frozen=True)
class RecoveryCodesRenewed(UserFact):
    kind: ClassVar[str] = "totp.recovery_codes_renewed"


@dataclass(frozen=True)
class SecondFactorFailed(UserFact):
    """A wrong code after the right password: another person may know the password."""

    kind: ClassVar[str] = "totp.failed"
    failures: int = 0

    def data(self) -> dict[str, Any]:
        return {"failures": self.failures}


@dataclass(frozen=True)
class TokenFact(UserFact):
    """Something that happened to an API token; the event does not contain the token."""

    token: Any = None

    def data(self) -> dict[str, Any]:
        return {"token_id": self.token.id, "name": self.token.name, "scopes": list(self.token.scopes)}


@dataclass(frozen=True)
class TokenCreated(TokenFact):
    kind: ClassVar[str] = "token.created"


@dataclass(frozen=True)
class TokenRevoked(TokenFact):
    kind: ClassVar[str] = "token.revoked"


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


@dataclass(frozen=True)
class SessionsEnded(UserFact):
    """Several sessions of an account ended at once: `number` of them."""

    kind: ClassVar[str] = "sessions.ended"
    because: str = "ended"
    number: int = 0

    def data(self) -> dict[str, Any]:
        return {"because": self.because, "number": self.number}
