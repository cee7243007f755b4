"""Use cases of accounts."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import cached_values, quotas, zones
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security import access
from taskmanager.core.security.access import Access, Actor, Grant
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import Order, Page
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.users import passwords
from taskmanager.features.users.events import (
    AddressConfirmed,
    UserRegistered,
    UserUpdated,
)
from taskmanager.features.users.models import ApiToken, SecondFactor, Session, User


class Addressee(NamedTuple):
    """The account that an address or an id stands for; `proved`: it is named by its id, or its address was proved."""

    user_id: ObjectId | None
    active: bool
    service: bool
    proved: bool


# An account has at most so many live sessions: with one more, the oldest ends.
MAX_SESSIONS = 500


def register(*, email: str, password: str, name: str, role: str = "user", verified: bool = False) -> User:
    """Make an account. Raises Conflict (`user.email_taken`), Invalid (`password.too_common`)."""
    email = plain_address(email)
    passwords.check(password, location="body.password", email=email)
    # hashed outside of the transaction: it takes a quarter of a second, on purpose
    return create(email, passwords.make_hash(password), name, role=role, verified=verified)


@unit_of_work
def create(email: str, password_hash: str, name: str, *, role: str = "user", verified: bool = False) -> User:
    """Make an account with the hash of a password. Raises Conflict (`user.email_taken`)."""
    user = User(email=email, name=name, password_hash=password_hash, role=role)
    user.email_verified_at = now() if verified else None
    try:
        user.save(force_insert=True)
    except NotUniqueError:
        raise Conflict("This address has an account already.", code="user.email_taken") from None
    record(UserRegistered(user))
    return user


def ensure_admin(email: str, password: str) -> bool:
    """Make the administrator's account unless the address has one; answers whether it was made."""
    try:
        register(email=email, password=password, name="Administrator", role="admin", verified=True)
    except Conflict:
        return False
    return True


@unit_of_work
def address_proved(user_id: ObjectId, email: str) -> None:
    """Note that the owner of the account has got mail at this address; do nothing when it is not the account's."""
    user = User.objects(id=user_id, email=email, email_verified_at=None).first()
    if user is not None:
        record(AddressConfirmed(user.write(email_verified_at=now())))


def me(*, actor: Actor) -> User:
    """Return the actor's own account."""
    return User.objects.one(actor.user_id)


def use_of_quotas(user: User, *, actor: Actor) -> dict[str, int]:
    """Return how much the actor's account has of what is counted for the whole account, by the names of the quotas."""
    roles = list(actor.project_roles.values())
    uploaded = user.attachment_bytes
    return {"projects": roles.count("owner"), "memberships": len(roles), "account_attachment_bytes": uploaded}


@unit_of_work
def update_me(changes: dict[str, str], *, if_match: IfMatch, actor: Actor) -> User:
    """Change the actor's own account. Raises PreconditionFailed."""
    user = User.objects.one(actor.user_id)
    user.check_revision(if_match)
    differences = user.differences(changes)
    if not differences:
        return user
    user = user.write(**changes)
    cached_values.invalidate("card", user.id)
    if "timezone" in differences:
        rights_changed([user.id])
    record(UserUpdated(user, changes=differences))
    return user


def public_profiles(user_ids: Iterable[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """Return what members of a project see of each other: {id: {name, email}}, in at most one query.

    `email` is None for one who has deleted the account, and for programs.
    """
    return cached_values.each("card", user_ids, _load_public_profiles)


def find_by_name(user_ids: list[ObjectId], order: Order, limit: int, after: Sequence[Any] | None) -> Page:
    """Return a page of these accounts in the order of their names: {_id, name}."""
    return User.objects(id__in=user_ids).page(order, limit, after=after, fields=["name"])


def _load_public_profiles(user_ids: list[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    rows = User.objects(id__in=user_ids).only("name", "email", "kind", "deleted_at").as_pymongo()
    return {row["_id"]: {"name": row["name"], "email": _address(row)} for row in rows}


def _address(row: dict[str, Any]) -> str | None:
    return None if "deleted_at" in row or row.get("kind") == "service" else row["email"]


def timezones(user_ids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Return the time zones of accounts, in at most one query."""
    ids = list(user_ids)
    rows = User.objects(id__in=ids).only("timezone").as_pymongo() if ids else ()
    return {row["_id"]: row.get("timezone", zones.DEFAULT) for row in rows}


def find_id(*, email: str | None = None, user_id: ObjectId | None = None) -> ObjectId | None:
    """Return id of the account that may act with this address or id; None when there is none."""
    query = User.objects(email=plain_address(email)) if email else User.objects(id=user_id)
    row = query.filter(disabled_at=None).only("id").as_pymongo().first()
    return row["_id"] if row else None


def find_addressee(*, email: str | None = None, user_id: ObjectId | None = None) -> Addressee:
    """Find whom an address or an id stands for: one query, whether or not there is such an account."""
    query = User.objects(email=plain_address(email)) if email else User.objects(id=user_id)
    row = query.only("kind", "email_verified_at", "disabled_at").as_pymongo().first() or {}
    return Addressee(
        user_id=row.get("_id"),
        active="_id" in row and row.get("disabled_at") is None,
        service=row.get("kind") == "service",
        proved=email is None or row.get("email_verified_at") is not None,
    )


def active_user_ids(user_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return those of these accounts that are there and not disabled."""
    return set(User.objects(id__in=list(user_ids), disabled_at=None).scalar("id"))


def stands_for(user_id: ObjectId, at: datetime) -> bool:
    """Return whether an account may act, and was not recovered since it did something at this time.

    What it had opened to others before its recovery is closed from that moment on, also while it is still being ended.
    """
    row = User.objects(id=user_id, disabled_at=None).only("recovered_at").as_pymongo().first()
    return row is not None and ("recovered_at" not in row or at >= row["recovered_at"])


def was_recovered(user_id: ObjectId, *, since: datetime) -> bool:
    """Return whether an account was recovered since it did something."""
    return User.objects(id=user_id, recovered_at__gt=since).only("id").first() is not None


def proved_ids(user_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return those of these accounts that have proved their address."""
    return set(User.objects(id__in=list(user_ids), email_verified_at__ne=None).scalar("id"))


def address_of(user_id: ObjectId) -> str | None:
    """Return the address of an account; None when there is no such account."""
    row = User.objects(id=user_id).only("email").as_pymongo().first()
    return row and row["email"]


def add_attachment_bytes(user_id: ObjectId, number: int) -> None:
    """Count what an account uploaded, or what is gone of it where negative, in the open transaction.

    Raises Conflict (`quota.account_attachment_bytes`).
    """
    user = User.objects(id=user_id).only("attachment_bytes").modify(new=True, inc__attachment_bytes=number)
    if user is not None and number > 0:
        quotas.check("account_attachment_bytes", user.attachment_bytes)


def rights_changed(user_ids: Iterable[ObjectId]) -> None:
    """Call in the transaction that changes what these accounts may do: every process sees it on its next request."""
    ids = list(user_ids)
    User.objects(id__in=ids).update(inc__access_version=1)
    access.changed(ids)


def load_access(user_id: ObjectId) -> Access | None:
    """Return what the account may do, without its project roles. The version is read first: the rest is never older."""
    user = User.objects(id=user_id).only("role", "access_version", "disabled_at", "timezone").as_pymongo().first()
    if user is None or user.get("disabled_at"):
        return None
    live = Session.objects.live().filter(user_id=user_id).order_by("-created_at", "-id").limit(MAX_SESSIONS)
    role = _role_now(user_id, user["role"])
    return Access(
        user_id,
        user["access_version"],
        role,
        sessions=frozenset(live.scalar("id")),
        tokens=_grants_of(user_id),
        timezone=user.get("timezone", zones.DEFAULT),
    )


def _role_now(user_id: ObjectId, role: str) -> str:
    """Return where the operator demands it, an administrator is one only with a second factor."""
    if role != "admin" or not settings.current().require_totp_for_admins:
        return role
    return role if SecondFactor.objects(user_id=user_id, confirmed_at__ne=None).first() else "user"


def _grants_of(user_id: ObjectId) -> dict[ObjectId, Grant]:
    rows = ApiToken.objects.live().filter(user_id=user_id).as_pymongo()
    return {
        row["_id"]: Grant(row["token_hash"], frozenset(row["scopes"]), row["expires_at"], row.get("project_id"))
        for row in rows
    }


def access_versions(user_ids: Iterable[ObjectId]) -> dict[ObjectId, int]:
    """Return the current `access_version` of accounts."""
    rows = User.objects(id__in=list(user_ids)).only("access_version").as_pymongo()
    return {row["_id"]: row["access_version"] for row in rows}
