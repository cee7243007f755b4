"""Use cases of service accounts: accounts of programs, made and managed by administrators.

They have no password and get no mail. They act through API tokens only, and become members of projects by id.
"""

from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.events import UserRegistered, UserUpdated
from taskmanager.features.users.models import ApiToken, User
from taskmanager.features.users.permissions import AdminAction
from taskmanager.features.users.tokens import service as api_tokens


@unit_of_work
def create(name: str, *, actor: Actor) -> User:
    """Make a service account. Raises Forbidden."""
    authorize(actor, AdminAction.MANAGE_SERVICE_ACCOUNTS, None)
    account_id = ObjectId()
    user = User(
        id=account_id,
        kind="service",
        name=name,
        email=f"service-{account_id}@service.invalid",
        password_hash=passwords.UNUSABLE,
        email_verified_at=now(),
    )
    user.save(force_insert=True)
    record(UserRegistered(user, by=actor.user_id))
    return user


def visible(actor: Actor) -> BaseQuerySet:
    """Return the service accounts. Raises Forbidden."""
    authorize(actor, AdminAction.MANAGE_SERVICE_ACCOUNTS, None)
    return User.objects(kind="service")


def get(account_id: ObjectId, *, actor: Actor) -> Row:
    """Return one service account. Raises Forbidden, NotFound."""
    return visible(actor).row(account_id)


@unit_of_work
def update(account_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> User:
    """Rename, disable or enable a service account. Raises Forbidden, NotFound, PreconditionFailed."""
    account = visible(actor).one(account_id)
    account.check_revision(if_match)
    if "disabled" in changes:
        disabled = changes.pop("disabled")
        changes["disabled_at"] = (account.disabled_at or now()) if disabled else None
    differences = account.differences(changes)
    if differences:
        account = account.write(**changes)
        users.raise_access_versions([account.id])
        record(UserUpdated(account, by=actor.user_id, changes=differences))
    return account


def account_of(account_id: ObjectId, *, actor: Actor) -> ObjectId:
    """Return the id of a service account whose tokens the actor may manage. Raises Forbidden, NotFound."""
    return get(account_id, actor=actor)["_id"]


def create_token(account_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> tuple[ApiToken, str]:
    """Make a token of a service account. Raises Forbidden, NotFound, Invalid, Conflict (`quota.tokens`)."""
    return api_tokens.create_for(account_of(account_id, actor=actor), data, actor=actor)
