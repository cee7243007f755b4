"""Use cases of addresses and passwords: confirm, reset, change.

A request for an address without a login only records an event; a worker finds out whether there is an account. So the
response and the time it takes reveal nothing about addresses.
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
from taskmanager.features.users.signup import policy

VERIFY, RESET = "verify_email", "password_reset"
CHANGE = {"old": "email_change.old", "new": "email_change.new"}


@unit_of_work
def request_verification(email: str) -> None:
    """Request a new link to confirm an address; it is sent if the address has an unconfirmed account."""
    record(VerificationRequested(email))


@unit_of_work
def request_reset(email: str) -> None:
    """Request a link to set a new password; it is sent if the address has an account."""
    record(PasswordResetRequested(email))


@unit_of_work
def prepare_verification(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and the token for the mail; None when there is nothing to confirm. Safe to repeat."""
    user = User.objects(email=email, disabled_at=None, email_verified_at=None).first()
    return user and (user, one_time_tokens.issue(VERIFY, user.id, lifetime=_hours(), email=email, token_id=token_id))


@unit_of_work
def prepare_reset(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and the token for the mail; None when no password can be reset. Safe to repeat."""
    user = User.objects(email=email, disabled_at=None).first()
    if user is None or not passwords.usable(user.password_hash):
        return None
    lifetime = timedelta(minutes=settings.current().password_reset_minutes)
    return user, one_time_tokens.issue(RESET, user.id, lifetime=lifetime, email=email, token_id=token_id)


@unit_of_work
def prepare_takeover(email: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return an account with an unconfirmed address and a token to reset its password; None otherwise.

    Links that would only confirm the address become invalid: they would confirm a password that another person may
    have set. Safe to repeat.
    """
    if not User.objects(email=email, email_verified_at=None).first():
        return None
    prepared = prepare_reset(email, token_id)
    if prepared:
        one_time_tokens.invalidate(VERIFY, prepared[0].id)
    return prepared


@unit_of_work
def verify_email(token: str) -> None:
    """Confirm an address. Raises TokenInvalid."""
    spent = one_time_tokens.spend(VERIFY, token)
    users.confirm_address(spent.subject_id, spent.email)


def reset_password(token: str, password: str) -> None:
    """Set a new password by a token from a mail, recover the account (see `holdings`) and lift every lock.

    Raises TokenInvalid; Invalid (`password.too_common`), after which the token is still valid.
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
    users.confirm_address(user.id, user.email)
    lockout.lift(user.email)
    recover(User.objects.one(user.id), password_hash, because="reset", proved_at=proved_at)


@unit_of_work
def recover(user: User, password_hash: str, *, because: str, proved_at: datetime | None) -> None:
    """Recover an account for its owner: store a new password and end the holdings of earlier holders.

    `proved_at`: when the present address was first confirmed; None if it was not, before this recovery.
    """
    recovery = Recovery(user, now(), proved_at)
    ended = holdings.end_all(recovery)
    user = user.write(recovered_at=recovery.at)
    set_password(user, password_hash, because=because, ended=ended, unfinished=holdings.unfinished(recovery, ended))


def change_password(current: str, new: str, *, actor: Actor) -> None:
    """Set another password and end all other sessions.

    Raises Forbidden (`auth.wrong_password`), Invalid (`password.too_common`).
    """
    user = User.objects.one(actor.user_id)
    prove(user, current)
    passwords.check(new, location="body.new_password", email=user.email)
    _change(user, passwords.make_hash(new), actor)


@unit_of_work
def _change(user: User, password_hash: str, actor: Actor) -> None:
    set_password(user, password_hash, because="change", keep=actor.session_id)


@unit_of_work
def set_password(
    user: User,
    password_hash: str,
    *,
    because: str,
    keep: ObjectId | None = None,
    ended: dict[str, int] | None = None,
    unfinished: dict[str, Any] | None = None,
) -> None:
    """Store a new password, end the account's sessions except `keep`, and cancel a pending change of address.

    Links in earlier mails become invalid. `ended` and `unfinished` describe a recovery in the event.
    Raises PreconditionFailed when the account was changed meanwhile.
    """
    user = user.write(password_hash=password_hash, new_email=None, new_email_confirmed=None)
    for purpose in (RESET, sessions.TICKET, *CHANGE.values()):
        one_time_tokens.invalidate(purpose, user.id)
    sessions.end_all(user, because="password", keep=keep)
    record(PasswordChanged(user, because=because, ended=ended, unfinished=unfinished))


def prove(user: User, password: str) -> None:
    """Raise Forbidden (`auth.wrong_password`) unless the password is right: a stolen token must not be enough."""
    if not passwords.matches(password, user.password_hash):
        raise Forbidden("The password is wrong.", code="auth.wrong_password")


def request_email_change(email: str, password: str, *, actor: Actor) -> None:
    """Request another address: the old and the new address get a mail, and both must confirm.

    An old address that is not confirmed gets no mail, unless it is confirmed before the change. The response does not
    reveal whether the new address has an account. Raises Forbidden (`auth.wrong_password`, `signup.not_invited`,
    `signup.domain_not_allowed`).
    """
    user = User.objects.one(actor.user_id)
    prove(user, password)
    policy.check_change(email)
    _ask_both(user, email)


@unit_of_work
def _ask_both(user: User, email: str) -> None:
    user = user.write(new_email=email, new_email_confirmed=[])
    for purpose in CHANGE.values():
        one_time_tokens.invalidate(purpose, user.id)
    record(EmailChangeRequested(user))


@unit_of_work
def prepare_email_change(user_id: ObjectId, which: str, token_id: ObjectId) -> tuple[User, OneTimeToken] | None:
    """Return the account and the token for the mail to its "old" or "new" address; None if that need not confirm."""
    user = User.objects(id=user_id, disabled_at=None, new_email__ne=None).first()
    if user is None or which not in _missing(user):
        return None
    address = user.new_email if which == "new" else user.email
    return user, one_time_tokens.issue(CHANGE[which], user.id, lifetime=_hours(), email=address, token_id=token_id)


@unit_of_work
def confirm_email_change(token: str) -> bool:
    """Confirm a change of address. Return whether the address was changed, as no other confirmation is missing.

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
    elif which == "new" and not one_time_tokens.has_valid(CHANGE["old"], user.id):
        record(EmailChangeRequested(user))  # the old address was confirmed since the request: it gets a mail now
    return not missing


def _missing(user: User) -> set[str]:
    """Return which of "old" and "new" still have to confirm; the old address only if it is itself confirmed."""
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
        one_time_tokens.invalidate(purpose, user.id)
    cached_values.invalidate("card", user.id)
    record(EmailChanged(user, before=before))


def _hours() -> timedelta:
    return timedelta(hours=settings.current().email_token_hours)
