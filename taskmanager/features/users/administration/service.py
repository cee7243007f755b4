"""Use cases of administrators: the accounts of other users. Commands use the functions that take a `User`."""

import secrets
from typing import Any

from bson import ObjectId

from taskmanager.core import cached_values
from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.servers import service_state
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.events import (
    PasswordResetRequested,
    SessionsForcedOut,
    UserDisabled,
    UserEnabled,
    UserRoleChanged,
    UserUpdated,
)
from taskmanager.features.users.models import Session, User
from taskmanager.features.users.permissions import AdminAction
from taskmanager.features.users.querysets import UserQuerySet
from taskmanager.features.users.recovery import service as recovery
from taskmanager.features.users.sessions import service as sessions

_TAKES_AWAY = {"disabled": True, "role": "user"}  # the changes of an account that work in a maintenance
_UNPROVED = "The address of this account is not confirmed yet: ask the user to confirm it, or to reset the password."


def visible(
    actor: Actor,
    *,
    q: str | None = None,
    role: str | None = None,
    kind: str | None = None,
    disabled: bool | None = None,
) -> BaseQuerySet:
    """Return the accounts, filtered by `q`, role, kind and whether they are disabled. Raises Forbidden."""
    authorize(actor, AdminAction.MANAGE_USERS, None)
    found: UserQuerySet = User.objects
    if q is not None:
        found = found.found_by(q)
    if role is not None:
        found = found.filter(role=role)
    if kind is not None:
        found = found.filter(kind=kind)
    if disabled is not None:
        found = found.filter(disabled_at__exists=disabled)
    return found


def get(user_id: ObjectId, *, actor: Actor) -> Row:
    """Return one account. Raises Forbidden, NotFound."""
    return visible(actor).row(user_id)


def create(*, email: str, name: str, password: str | None = None, actor: Actor) -> User:
    """Make an account for a person, whatever the policy of sign-up.

    With a password the address counts as confirmed: the administrator answers for it. Without one, a mail to the
    address lets its owner set one, which confirms it. Raises Forbidden, Conflict (`user.email_taken`), Invalid
    (`password.too_common`).
    """
    authorize(actor, AdminAction.MANAGE_USERS, None)
    email = plain_address(email)
    if password is not None:
        passwords.check(password, location="body.password", email=email)
    password_hash = passwords.make_hash(password or secrets.token_urlsafe(32))
    return users.create(email, password_hash, name, verified=password is not None, by=actor.user_id)


def ensure_admin(email: str, password: str) -> bool:
    """Make the administrator's account unless the address has an account. Return whether it was made."""
    try:
        users.make_account(email=email, password=password, name="Administrator", role="admin", verified=True)
    except Conflict:
        return False
    return True


@unit_of_work
def update(user_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> User:
    """Rename an account, change its role, disable or enable it.

    In a maintenance only what takes rights away is done, since a leaked token must be stopped then too. Raises
    Forbidden, NotFound, InMaintenance, PreconditionFailed, Conflict (`user.last_admin`, `user.yourself`,
    `user.email_unverified`).
    """
    authorize(actor, AdminAction.MANAGE_USERS, None)
    if not changes.items() <= _TAKES_AWAY.items():
        service_state.check_writable()
    user = User.objects.one(user_id)
    user.check_revision(if_match)
    if "name" in changes:
        user = _rename(user, changes["name"], actor)
    if "role" in changes:
        user = change_role(user, changes["role"], by=actor.user_id)
    if changes.get("disabled") and user.id == actor.user_id:
        raise Conflict("You cannot disable yourself.", code="user.yourself")
    if "disabled" in changes:
        user = (disable if changes["disabled"] else enable)(user, by=actor.user_id)
    return user


def _rename(user: User, name: str, actor: Actor) -> User:
    differences = user.differences({"name": name})
    if differences:
        user = user.write(name=name)
        cached_values.invalidate("card", user.id)
        record(UserUpdated(user, by=actor.user_id, changes=differences))
    return user


@unit_of_work
def change_role(user: User, role: str, *, by: ObjectId | None = None) -> User:
    """Give an account another global role; running sessions get it too.

    Raises Conflict (`user.last_admin`; `user.email_unverified`: a user can register an address without owning it).
    """
    differences = user.differences({"role": role})
    if differences:
        if user.role == "admin":
            keep_an_admin(user)
        elif not user.email_verified_at:
            raise Conflict(_UNPROVED, code="user.email_unverified")
        user = user.write(role=role)
        users.raise_access_versions([user.id])
        record(UserRoleChanged(user, by=by, by_operator=by is None, changes=differences))
    return user


def promote(user: User) -> User:
    """Make an account an administrator. Raises Conflict (`user.email_unverified`).

    If its address is not confirmed, also send a mail to confirm it.
    """
    if not user.email_verified_at:
        recovery.request_verification(user.email)
    return change_role(user, "admin")


@unit_of_work
def disable(user: User, *, by: ObjectId | None = None) -> User:
    """Disable an account: end its sessions, suspend its API tokens. Raises Conflict (`user.last_admin`)."""
    if user.disabled_at is None:
        if user.role == "admin":
            keep_an_admin(user)
        user = user.write(disabled_at=now())
        sessions.end_all(user, because="disabled")
        users.raise_access_versions([user.id])
        record(UserDisabled(user, by=by, by_operator=by is None))
    return user


@unit_of_work
def enable(user: User, *, by: ObjectId | None = None) -> User:
    """Enable an account again; its user has to log in again."""
    if user.disabled_at is not None:
        user = user.write(disabled_at=None)
        users.raise_access_versions([user.id])
        record(UserEnabled(user, by=by, by_operator=by is None))
    return user


@unit_of_work
def end_sessions(user_id: ObjectId, *, actor: Actor) -> None:
    """Log an account out everywhere. Raises Forbidden, NotFound."""
    authorize(actor, AdminAction.MANAGE_USERS, None)
    user = User.objects.one(user_id)
    sessions.end_all(user, because="forced")
    record(SessionsForcedOut(user, by=actor.user_id))


@unit_of_work
def end_sessions_by_operator(email: str) -> int:
    """Log an account out everywhere, from the command line. Return 1. Raises NotFound."""
    user = by_email(email)
    sessions.end_all(user, because="forced")
    record(SessionsForcedOut(user, by_operator=True))
    return 1


def end_sessions_of_all() -> int:
    """Log all accounts out that have a session; one transaction each. Return how many."""
    ids = Session.objects.live().distinct("user_id")
    return sum(end_sessions_by_operator(user.email) for user in User.objects(id__in=ids))


@unit_of_work
def send_reset(user_id: ObjectId, *, actor: Actor) -> None:
    """Request a password reset mail for an account. Raises Forbidden, NotFound."""
    authorize(actor, AdminAction.MANAGE_USERS, None)
    user = User.objects.one(user_id)
    record(PasswordResetRequested(user.email, user, by=actor.user_id))


def reset_password(user: User, password: str) -> None:
    """Set a password from the command line, as a recovery. Raises Invalid (`password.too_common`)."""
    passwords.check(password, location="password", email=user.email)
    password_hash = passwords.make_hash(password)
    recovery.recover(user, password_hash, because="operator", proved_at=user.email_verified_at)


def by_email(email: str) -> User:
    """Return the account with this address. Raises NotFound."""
    user = User.objects(email=plain_address(email)).first()
    if user is None:
        raise NotFound(f"There is no account with the address {email}.")
    return user


def keep_an_admin(user: User) -> None:
    """Raise Conflict (`user.last_admin`) unless there is another administrator.

    The other account is written, not only read: if two administrators demote each other at the same moment, the two
    transactions have a write conflict and one is refused.
    """
    others = User.objects.administrators().filter(id__ne=user.id)
    if others.modify(inc__admin_checks=1) is None:
        raise Conflict("There must be an administrator: make another account one first.", code="user.last_admin")
