"""Use cases of API tokens: part of the rights of an account, for a program, until a day.

A token is shown once, when it is made; only its hash is stored. Tokens are made in sessions only, so no token can make
another. A token never has more rights than its account has at that moment.
"""

from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo.errors import PyMongoError

from taskmanager.core import quotas
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Invalid, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.registry import Part
from taskmanager.core.security import signed_tokens
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users import service as users
from taskmanager.features.users.events import TokenCreated, TokenRevoked
from taskmanager.features.users.models import ApiToken, User

PREFIX = "tm_"
SCOPES: Part[str] = Part("scopes")
_USE_RECORDED_EVERY = timedelta(minutes=1)


def create(data: dict[str, Any], *, actor: Actor) -> tuple[ApiToken, str]:
    """Make a token of the actor's own account. Return it and its text, which cannot be read again.

    Raises Invalid (`token.bad_expiry`, `token.unknown_project`), Conflict (`quota.tokens`).
    """
    project_id = data.get("project_id")
    if project_id is not None and actor.role_in(project_id) is None:
        raise Invalid("body.project_id", "You are not a member of such a project.", code="token.unknown_project")
    return create_for(actor.user_id, data, actor=actor)


@unit_of_work
def create_for(user_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> tuple[ApiToken, str]:
    """Make a token of an account; the caller has checked that the actor may act for it. Raises as `create`."""
    _check_end(data["expires_at"])
    users.raise_access_versions([user_id])  # first: concurrent transactions conflict here, so the count below is right
    quotas.check_room("tokens", ApiToken.objects.live().filter(user_id=user_id), user_id)
    token = ApiToken(id=ObjectId(), user_id=user_id, **data)
    text = signed_tokens.sign(PREFIX, user_id, token.id, nonce=signed_tokens.make_nonce())
    token.token_hash = signed_tokens.fingerprint(text)
    token.save(force_insert=True)
    record(TokenCreated(User.objects.one(user_id), by=actor.user_id, token=token))
    return token, text


def visible(user_id: ObjectId) -> BaseQuerySet:
    """Return the tokens of an account, also expired ones; the caller has checked that the actor may manage them."""
    return ApiToken.objects(user_id=user_id)


def get(token_id: ObjectId, *, user_id: ObjectId) -> Row:
    """Return one token of an account. Raises NotFound."""
    return visible(user_id).row(token_id)


@unit_of_work
def revoke(token_id: ObjectId, *, user_id: ObjectId, if_match: IfMatch, actor: Actor) -> None:
    """Delete a token: it is refused from the next request on. Raises NotFound, PreconditionFailed."""
    token = visible(user_id).one(token_id)
    token.check_revision(if_match)
    if not ApiToken.objects(id=token_id, revision=token.revision).delete():
        raise NotFound
    users.raise_access_versions([user_id])
    record(TokenRevoked(User.objects.one(user_id), by=actor.user_id, token=token))


@unit_of_work
def revoke_all(user: User) -> int:
    """Delete all tokens of an account. Return how many there were."""
    tokens = list(ApiToken.objects(user_id=user.id))
    for token in tokens:
        record(TokenRevoked(user, token=token))
    ApiToken.objects(user_id=user.id).delete()
    users.raise_access_versions([user.id])
    return len(tokens)


@unit_of_work
def revoke_of_project(project_id: ObjectId, most: int) -> int:
    """Delete at most `most` of the tokens for a purged project. Return how many. Safe to repeat."""
    tokens = list(ApiToken.objects(project_id=project_id).limit(most))
    owners = User.objects.in_bulk(list({token.user_id for token in tokens}))
    for token in tokens:
        if token.user_id in owners:
            record(TokenRevoked(owners[token.user_id], token=token))
    ApiToken.objects(id__in=[token.id for token in tokens]).delete()
    users.raise_access_versions(owners)
    return len(tokens)


def used(token_id: ObjectId, address: str) -> None:
    """Store the time and address of a token's last use, at most once a minute. Errors of the database are ignored."""
    moment = now()
    if _recorded.get(token_id, moment - _USE_RECORDED_EVERY) > moment - _USE_RECORDED_EVERY:
        return
    if len(_recorded) > 10_000:
        _recorded.clear()
    _recorded[token_id] = moment
    try:
        ApiToken.objects(id=token_id).update(set__last_used_at=moment, set__last_used_address=address)
    except PyMongoError:
        _recorded.pop(token_id, None)


_recorded: dict[ObjectId, datetime] = {}  # when this process last stored the use of a token


def _check_end(expires_at: datetime) -> None:
    max_days = settings.current().token_days_most
    if not now() < expires_at <= now() + timedelta(days=max_days):
        message = f"It must end in the future, at most {max_days} days from now."
        raise Invalid("body.expires_at", message, code="token.bad_expiry")
