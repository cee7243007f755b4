"""Deletion of an account by its user: the row stays as an id without personal data."""

from datetime import timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import cached_values
from taskmanager.core.clock import now
from taskmanager.core.errors import Forbidden
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.security.access import Actor
from taskmanager.core.storage import chunked_updates
from taskmanager.core.storage.unit_of_work import finish_now, unit_of_work
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.events import EmailChanged, stream_of_address
from taskmanager.features.users.models import ApiToken, Identity, SecondFactor, Session, User
from taskmanager.features.users.one_time_tokens import OneTimeToken
from taskmanager.features.users.sessions import lockout, service as sessions

FRESH = timedelta(minutes=10)
MAX_STEP = 1_000  # documents of one collection that are deleted or changed in one transaction
# The personal data in events: names, mail addresses, network addresses.
_PERSONAL = dict.fromkeys(("data.changes", "data.before", "data.address", "data.email", "correlation.address"), 1)


def check_deletion(user: User, *, actor: Actor) -> None:
    """Raise Forbidden (`auth.fresh_login_needed`) unless the login is FRESH; Conflict (`user.last_admin`)."""
    session = sessions.get(actor.session_id, actor=actor) if actor.session_id else None
    if session is None or now() - session["created_at"] > FRESH:
        minutes = int(FRESH.total_seconds() // 60)
        raise Forbidden(
            f"Log in again: this needs a login within the last {minutes} minutes.", code="auth.fresh_login_needed"
        )
    if user.role == "admin":
        administration.keep_an_admin(user)


@unit_of_work
def anonymise(user: User) -> tuple[User, list[str]]:
    """Remove the personal data and the logins of an account; content that others need still refers to its id.

    Of collections that may be large, only the newest MAX_STEP documents: `erase` removes the rest. Return the account
    as stored, and the streams with the events of it and of its addresses.
    """
    sessions.end_all(user, because="deleted")
    for kind in (ApiToken, SecondFactor, Identity):
        kind.objects(user_id=user.id).delete()
    _delete_some(user.id)
    finish_now()  # events recorded in this unit of work contain personal data, too
    addresses = _addresses(user)
    for address in addresses:
        lockout.lift(address)
    streams = [f"user:{user.id}", *map(stream_of_address, addresses)]
    for stream, last in _last_numbers(streams).items():
        _scrub(stream, last - MAX_STEP, last)
    user = user.write(**_anonymised(user))
    users.raise_access_versions([user.id])
    cached_values.invalidate("card", user.id)
    return user, streams


def erase(user_id: ObjectId, streams: list[str]) -> None:
    """Remove the rest of a deleted account, MAX_STEP documents by each command. Safe to repeat."""
    while _delete_some(user_id):
        pass
    for stream, last in _last_numbers(streams).items():
        for first in range(0, last, MAX_STEP):
            _scrub(stream, first, first + MAX_STEP)


def _delete_some(user_id: ObjectId) -> bool:
    """Delete MAX_STEP sessions and one-time tokens of the account. Return whether there were any."""
    numbers = [
        chunked_updates.delete_some(Session.objects(user_id=user_id), MAX_STEP),
        chunked_updates.delete_some(OneTimeToken.objects(subject_id=user_id), MAX_STEP),
    ]
    return any(numbers)


def _anonymised(user: User) -> dict[str, Any]:
    return {
        "email": f"deleted-{user.id}@deleted.invalid",
        "name": "Deleted user",
        "password_hash": passwords.UNUSABLE,
        "role": "user",
        "disabled_at": now(),
        "deleted_at": now(),
        "email_verified_at": None,
        "new_email": None,
        "new_email_confirmed": None,
    }


def _addresses(user: User) -> list[str]:
    """Return the address of an account and its former addresses in the log, at most MAX_STEP."""
    changes = Event.objects(stream=f"user:{user.id}", kind=EmailChanged.kind).limit(MAX_STEP).scalar("data")
    return sorted({user.email, *(data["before"] for data in changes if "before" in data)})


def _last_numbers(streams: list[str]) -> dict[str, int]:
    """Return the last number of each of these streams: {stream: seq}."""
    return {row.stream: row.seq for row in Counter.objects(stream__in=streams)}


def _scrub(stream: str, first: int, last: int) -> None:
    """Remove personal data from the events of a stream with `first` < seq <= `last`."""
    query = {"stream": stream, "seq": {"$gt": first, "$lte": last}}
    Event._get_collection().update_many(query, {"$unset": _PERSONAL})


def scrub_rest(user_id: ObjectId) -> None:
    """Remove a user's personal data, such as network addresses, from audited events of all streams. Safe to repeat."""
    events = Event._get_collection()
    personal = {"$or": [{field: {"$exists": True}} for field in _PERSONAL]}
    chunked_updates.update_all(events, {"audited": True, "subject_id": user_id, **personal}, {"$unset": _PERSONAL})
    done_by = {"audited": True, "actor_id": user_id, "correlation.address": {"$exists": True}}
    chunked_updates.update_all(events, done_by, {"$unset": {"correlation.address": 1}})
