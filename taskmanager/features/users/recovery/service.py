"""Use cases of addresses and passwords: confirm, reset, change.

What is asked for an address by a caller who is not logged in only records that it was asked; a worker finds out
whether there is an account. So the answer, and the time it takes, tell nothing about addresses.
"""

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import cached_values
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Forbidden, TokenInvalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import holdings, one_time_tokens, passwords, service as users
from taskmanager.features.users.events import (
    EmailChanged,
    EmailChangeRequested,
    PasswordChanged,
    PasswordResetRequested,
    VerificationRequested,
)
from taskmanager.features.users.holdings import Recovery
from taskmanager.features.users.models import User
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.features.users.sessions import lockout, service as sessions

VERIFY, RESET = "verify_email", "password_reset"
CHANGE = {"old": "email_change.old", "new": "email_change.new"}


@unit_of_work
def request_verification(email: str) -> None:
    """Have a new link sent that confirms the address, if an account waits for it."""
    record(VerificationRequested(email))


@unit_of_work
def request_reset(email: str) -> None:
    """Have a link sent that sets a new password, if the address has an account."""
    record(PasswordResetRequested(email))


@unit_of_work
def prepare_verification(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and its token for a mail; None when there is nothing to confirm. Safe to repeat."""
    user = User.objects(email=email, disabled_at=None, email_verified_at=None).first()
    return user and (user, one_time_tokens.issue(VERIFY, user.id, lifetime=_hours(), email=email, token_id=token_id))


@unit_of_work
def prepare_reset(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and its token for a mail; None when no password may be reset. Safe to repeat."""
    user = User.objects(email=email, disabled_at=None).first()
    if user is None or not passwords.usable(user.password_hash):
        return None
    lifetime = timedelta(minutes=settings.current().password_reset_minutes)
    return user, one_time_tokens.issue(RESET, user.id, lifetime=lifetime, email=email, token_id=token_id)


@unit_of_work
def prepare_takeover(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return an account whose address is not proved, with a token that resets its password. Safe to repeat.

    Links that would only confirm the address are good no more: they would confirm the password of an unknown person.
    """
    if not User.objects(email=email, email_verified_at=None).first():
        return None
    prepared = prepare_reset(email, token_id)
    if prepared:
        one_time_tokens.withdraw(VERIFY, prepared[0].id)
    return prepared


@unit_of_work
def verify_email(token: str) -> None:
    """Confirm an address. Raises TokenInvalid."""
    spent = one_time_tokens.spend(VERIFY, token)
    users.address_proved(spent.subject_id, spent.email)


def reset_password(token: str, password: str) -> None:
    """Set a new password by a token from a mail; what `holdings` names ends, and every lock is lifted.

    Raises TokenInvalid, Invalid (`password.too_common`): then the token is still good.
    """
    user = _account_of(one_time_tokens.read(RESET, token))  # before the hash, which costs a quarter of a second
    passwords.check(password, location="body.password", email=user.email)
    _reset(token, passwords.make_hash(password))


def _account_of(token: OneTimeToken | None) -> User:
    user = token and User.objects(id=token.subject_id, email=token.email, disabled_at=None).first()
    if user is None:
        raise TokenInvalid
    return user


@unit_of_work
def _reset(token: str, password_hash: str) -> None:
    user = _account_of(one_time_tokens.spend(RESET, token))
    proved_at = user.email_verified_at
    users.address_proved(user.id, user.email)
    lockout.lift(user.email)
    recover(User.objects.one(user.id), password_hash, because="reset", proved_at=proved_at)


@unit_of_work
def recover(user: User, password_hash: str, *, because: str, proved_at: datetime | None) -> None:
    """Give an account back to its owner: store a new password and end what earlier holders may have left behind.

    `proved_at` is when the present address was proved before; None when it never was.
    """
    recovery = Recovery(user, now(), proved_at)
    ended = holdings.end_all(recovery)
    user = user.write(recovered_at=recovery.at)
    set_password(user, password_hash, because=because, ended=ended, unfinished=holdings.unfinished(recovery, ended))


def change_password(current: str, new: str, *, actor: Actor) -> None:
    """Set another password; all other sessions end. Raises Forbidden (`auth.wrong_password`), Invalid."""
    user = User.objects.one(actor.user_id)
    prove(user, current)
    passwords.check(new, location="body.new_password", email=user.email)
    _change(user, passwords.make_hash(new), actor)


@unit_of_work
def _change(user: User, password_hash: str, actor: Actor) -> None:
    set_password(user, password_hash, because="change", keep=actor.session_id)


@unit_of_work
def set_password(
    user: User, password_hash: str, *, because: str, keep: ObjectId | None = None, **recovered: dict[str, Any] | None
) -> None:
    """Store a new password and end the account's sessions but `keep`, and a change of address that is under way.

    Links that were mailed are good no more. `recovered` is what the event tells of a recovery.
    Raises PreconditionFailed when the account was changed meanwhile.
    """
    user = user.write(password_hash=password_hash, new_email=None, new_email_confirmed=None)
    for purpose in (RESET, sessions.TICKET, *CHANGE.values()):
        one_time_tokens.withdraw(purpose, user.id)
    sessions.end_all(user, because="password", keep=keep)
    record(PasswordChanged(user, because=because, **recovered))


def prove(user: User, password: str) -> None:
    """Raise Forbidden (`auth.wrong_password`) unless this is the account's password: a stolen token is not enough."""
    if not passwords.matches(password, user.password_hash):
        raise Forbidden("The password is wrong.", code="auth.wrong_password")


def request_email_change(email: str, password: str, *, actor: Actor) -> None:
    """Ask for another address: both, the old and the new one, get a mail and must confirm.

    An old address that was not proved is not asked, unless it is proved before the change. Whether the new one has an
    account is not told. Raises Forbidden (`auth.wrong_password`).
    """
    user = User.objects.one(actor.user_id)
    prove(user, password)
    _ask_both(user, email)


@unit_of_work
def _ask_both(user: User, email: str) -> None:
    user = user.write(new_email=email, new_email_confirmed=[])
    for purpose in CHANGE.values():
        one_time_tokens.withdraw(purpose, user.id)
    record(EmailChangeRequested(user))


@unit_of_work
def prepare_email_change(user_id: ObjectId, which: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and the token for the mail to its "old" or "new" address; None when that need not confirm."""
    user = User.objects(id=user_id, disabled_at=None, new_email__ne=None).first()
    if user is None or which not in _missing(user):
        return None
    address = user.new_email if which == "new" else user.email
    return user, one_time_tokens.issue(CHANGE[which], user.id, lifetime=_hours(), email=address, token_id=token_id)


@unit_of_work
def confirm_email_change(token: str) -> bool:
    """Confirm a change of address; answers whether that was the last confirmation it needed.

    Raises TokenInvalid, Conflict (`user.email_taken`).
    """
    which, spent = _spend_change(token)
    user = User.objects(id=spent.subject_id, disabled_at=None, new_email__ne=None).first()
    if user is None or spent.email != (user.new_email if which == "new" else user.email):
        raise TokenInvalid
    user = user.write(new_email_confirmed=sorted({*user.new_email_confirmed, which}))
    missing = _missing(user)
    if not missing:
        _move(user)
    elif which == "new" and not one_time_tokens.is_waiting(CHANGE["old"], user.id):
        record(EmailChangeRequested(user))  # the old address was proved since it was asked for: now it is asked too
    return not missing


def _missing(user: User) -> set[str]:
    """Return which addresses have still to confirm the change: the old one only if it is known to be the owner's."""
    return ({"old", "new"} if user.email_verified_at else {"new"}) - set(user.new_email_confirmed or ())


def _spend_change(token: str) -> tuple[str, OneTimeToken]:
    try:
        return "new", one_time_tokens.spend(CHANGE["new"], token)
    except TokenInvalid:
        return "old", one_time_tokens.spend(CHANGE["old"], token)


def _move(user: User) -> None:
    before = user.email
    try:
        user = user.write(email=user.new_email, email_verified_at=now(), new_email=None, new_email_confirmed=None)
    except NotUniqueError:
        raise Conflict("The new address has an account already.", code="user.email_taken") from None
    for purpose in (VERIFY, RESET, *CHANGE.values()):
        one_time_tokens.withdraw(purpose, user.id)
    cached_values.invalidate("card", user.id)
    record(EmailChanged(user, before=before))


def _hours() -> timedelta:
    return timedelta(hours=settings.current().email_token_hours)
