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
from taskmanager.core.localization import languages
from taskmanager.core.security import access
from taskmanager.core.security.access import Access, Actor, Grant
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Order
from taskmanager.core.storage.querysets import Page
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.core.text import plain_address
from taskmanager.features.users import passwords
from taskmanager.features.users.events import (
    AddressConfirmed,
    UserRegistered,
    UserUpdated,
)
from taskmanager.features.users.models import ApiToken, SecondFactor, Session, User
from taskmanager.features.users.signup import policy


class Addressee(NamedTuple):
    """The account with an address or an id; `proved`: it was given by its id, or its address was confirmed."""

    user_id: ObjectId | None
    active: bool
    service: bool
    proved: bool


_OF_ACCESS = ("role", "access_version", "disabled_at", "timezone", "locale")
MAX_SESSIONS = 500  # live sessions of an account: one more ends the oldest


def register(*, email: str, password: str, name: str, locale: str = languages.DEFAULT) -> User:
    """Make an account for a stranger. Raises Forbidden (see `signup.policy.check`) and what `make_account` raises."""
    policy.check(plain_address(email))
    return make_account(email=email, password=password, name=name, locale=locale)


def make_account(
    *,
    email: str,
    password: str,
    name: str,
    role: str = "user",
    verified: bool = False,
    locale: str = languages.DEFAULT,
) -> User:
    """Make an account for an operator, whatever the policy of sign-up.

    Raises Conflict (`user.email_taken`), Invalid (`password.too_common`).
    """
    email = plain_address(email)
    passwords.check(password, location="body.password", email=email)
    # hashed outside the transaction: it takes a quarter of a second, on purpose
    return create(email, passwords.make_hash(password), name, role=role, verified=verified, locale=locale)


@unit_of_work
def create(
    email: str,
    password_hash: str,
    name: str,
    *,
    role: str = "user",
    verified: bool = False,
    locale: str = languages.DEFAULT,
    by: ObjectId | None = None,
) -> User:
    """Make an account with a password hash; `by` is the administrator who makes it. Raises Conflict.

    The code of the Conflict is `user.email_taken`.
    """
    user = User(email=email, name=name, password_hash=password_hash, role=role, locale=locale)
    user.email_verified_at = now() if verified else None
    try:
        user.save(force_insert=True)
    except NotUniqueError:
        raise Conflict("This address has an account already.", code="user.email_taken") from None
    record(UserRegistered(user, by=by))
    return user


@unit_of_work
def confirm_address(user_id: ObjectId, email: str) -> None:
    """Record that a mail to this address reached the user; do nothing when it is not the account's address."""
    user = User.objects(id=user_id, email=email, email_verified_at=None).first()
    if user is not None:
        record(AddressConfirmed(user.write(email_verified_at=now())))


def me(*, actor: Actor) -> User:
    """Return the actor's own account."""
    return User.objects.one(actor.user_id)


def use_of_quotas(user: User, *, actor: Actor) -> dict[str, int]:
    """Return how much of the quotas of the whole account is used: {name of the quota: number}."""
    roles = list(actor.project_roles.values())
    return {
        "projects": roles.count("owner"),
        "memberships": len(roles),
        "account_attachment_bytes": user.attachment_bytes,
    }


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
    cached_values.invalidate("locale", user.id)
    if differences.keys() & {"timezone", "locale"}:
        raise_access_versions([user.id])
    record(UserUpdated(user, changes=differences))
    return user


def public_profiles(user_ids: Iterable[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """Return what members of a project see of each other: {id: {name, email}}, by at most one query.

    `email` is None for deleted accounts and for service accounts.
    """
    return cached_values.each("card", user_ids, _load_public_profiles)


def find_by_name(user_ids: list[ObjectId], order: Order, limit: int, after: Sequence[Any] | None) -> Page:
    """Return a page of these accounts, ordered by name: {_id, name}."""
    return User.objects(id__in=user_ids).page(order, limit, after=after, fields=["name"])


def _load_public_profiles(user_ids: list[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    rows = User.objects(id__in=user_ids).only("name", "email", "kind", "deleted_at").as_pymongo()
    return {row["_id"]: {"name": row["name"], "email": _address(row)} for row in rows}


def _address(row: dict[str, Any]) -> str | None:
    return None if "deleted_at" in row or row.get("kind") == "service" else row["email"]


def timezones(user_ids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Return the time zones of these accounts, by at most one query."""
    ids = list(user_ids)
    rows = User.objects(id__in=ids).only("timezone").as_pymongo() if ids else ()
    return {row["_id"]: row.get("timezone", zones.DEFAULT) for row in rows}


def locales(user_ids: Iterable[ObjectId]) -> dict[ObjectId, str]:
    """Return the languages of these accounts, by at most one query."""
    return cached_values.each("locale", user_ids, _load_locales)


def _load_locales(user_ids: list[ObjectId]) -> dict[ObjectId, str]:
    rows = User.objects(id__in=user_ids).only("locale").as_pymongo()
    return {row["_id"]: languages.known(row.get("locale")) for row in rows}


def find_id(*, email: str | None = None, user_id: ObjectId | None = None) -> ObjectId | None:
    """Return the id of the account with this address or id; None when there is none or it is disabled."""
    query = User.objects(email=plain_address(email)) if email else User.objects(id=user_id)
    row = query.filter(disabled_at=None).only("id").as_pymongo().first()
    return row["_id"] if row else None


def find_addressee(*, email: str | None = None, user_id: ObjectId | None = None) -> Addressee:
    """Return the account with an address or an id: one query, whether or not there is such an account."""
    query = User.objects(email=plain_address(email)) if email else User.objects(id=user_id)
    row = query.only("kind", "email_verified_at", "disabled_at").as_pymongo().first() or {}
    return Addressee(
        user_id=row.get("_id"),
        active="_id" in row and row.get("disabled_at") is None,
        service=row.get("kind") == "service",
        proved=email is None or row.get("email_verified_at") is not None,
    )


def active_user_ids(user_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return the ids of those of these accounts that exist and are not disabled."""
    return set(User.objects(id__in=list(user_ids), disabled_at=None).scalar("id"))


def stands_for(user_id: ObjectId, at: datetime) -> bool:
    """Return whether an account is active and was not recovered after `at`, the time when it granted something.

    So share links and invitations from before a recovery are invalid at once, even while jobs still delete them.
    """
    row = User.objects(id=user_id, disabled_at=None).only("recovered_at").as_pymongo().first()
    return row is not None and ("recovered_at" not in row or at >= row["recovered_at"])


def was_recovered(user_id: ObjectId, *, since: datetime) -> bool:
    """Return whether an account was recovered after this time."""
    return User.objects(id=user_id, recovered_at__gt=since).only("id").first() is not None


def confirmed_ids(user_ids: Iterable[ObjectId]) -> set[ObjectId]:
    """Return the ids of those of these accounts whose address is confirmed."""
    return set(User.objects(id__in=list(user_ids), email_verified_at__ne=None).scalar("id"))


def address_of(user_id: ObjectId) -> str | None:
    """Return the address of an account; None when there is no such account."""
    row = User.objects(id=user_id).only("email").as_pymongo().first()
    return row and row["email"]


def add_attachment_bytes(user_id: ObjectId, number: int) -> None:
    """Add to the bytes that an account has uploaded (a negative number subtracts), in the open transaction.

    Raises Conflict (`quota.account_attachment_bytes`).
    """
    user = User.objects(id=user_id).only("attachment_bytes").modify(new=True, inc__attachment_bytes=number)
    if user is not None and number > 0:
        quotas.check("account_attachment_bytes", user.attachment_bytes, user_id)


def raise_access_versions(user_ids: Iterable[ObjectId]) -> None:
    """Raise the access versions of these accounts, so that every process sees their new rights on its next request.

    Call this in the transaction that changes the rights.
    """
    ids = list(user_ids)
    if len(ids) == 1:
        version = raise_access_version(ids[0])
        if version is not None:
            access.changed_to(ids[0], version)
    else:
        User.objects(id__in=ids).update(inc__access_version=1)
        access.changed(ids)


def raise_access_version(user_id: ObjectId, **conditions: Any) -> int | None:
    """Raise the access version of one account and return it, for a change that adds a session and takes no right away.

    Processes need not be told: they load rights that lack a session again. Return None, and do nothing, when there is
    no such account that meets the conditions.
    """
    user = User.objects(id=user_id, **conditions).only("access_version").modify(new=True, inc__access_version=1)
    return int(user.access_version) if user else None


def load_access(user_id: ObjectId) -> Access | None:
    """Return the rights of an account without its project roles; None when there is no such account or it is disabled.

    The access version is read first, so the rest is never older than it.
    """
    user = User.objects(id=user_id).only(*_OF_ACCESS).as_pymongo().first()
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
        locale=languages.known(user.get("locale")),
    )


def _role_now(user_id: ObjectId, role: str) -> str:
    """Return the role that counts: where settings demand it, an administrator without a second factor is a user."""
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
