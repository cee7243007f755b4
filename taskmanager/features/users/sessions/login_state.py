"""What the database knows about an address that logs in, by one query, whether or not it has an account."""

from dataclasses import dataclass
from typing import Any

from taskmanager.core.storage.orders import Row
from taskmanager.features.users import service as users
from taskmanager.features.users.models import SecondFactor, Session, User
from taskmanager.features.users.sessions import lockout
from taskmanager.features.users.sessions.lockout import NO_ACCOUNT, LoginFailures


@dataclass(frozen=True)
class LoginState:
    """The account of an address with what a login needs to know, as of `user.access_version`, and its failures."""

    user: User | None
    failures: dict[str, Row]
    has_second_factor: bool
    sessions: int  # live ones, at most MAX_SESSIONS


def load(email: str, address: str) -> LoginState:
    """Return what is known, by one command that does the same work for every address."""
    (found,) = LoginFailures.objects(id__in=lockout.ids(email, address)).aggregate(_pipeline(email))
    rows = found["users"]
    return LoginState(
        User._from_son(rows[0]) if rows else None,
        {row["_id"]: row for row in found["failures"]},
        bool(found["factors"]),
        found["sessions"][0]["number"] if found["sessions"] else 0,
    )


def _pipeline(email: str) -> list[dict[str, Any]]:
    """Return the stages after the failures were found: `$facet` returns one document, also when there are none."""
    first_id = {"$ifNull": [{"$first": "$users._id"}, NO_ACCOUNT]}
    count = [{"$match": Session.objects.live()._query}, {"$limit": users.MAX_SESSIONS}, {"$count": "number"}]
    confirmed = [{"$match": SecondFactor.objects(confirmed_at__ne=None)._query}, {"$project": {"_id": 1}}]
    return [
        {"$facet": {"failures": [{"$match": {}}]}},
        {"$lookup": {"from": "users", "pipeline": [{"$match": {"email": email}}], "as": "users"}},
        {"$set": {"user_id": first_id}},
        _of_user("second_factors", "factors", confirmed),
        _of_user("sessions", "sessions", count),
    ]


def _of_user(collection: str, name: str, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
    joined = {"from": collection, "localField": "user_id", "foreignField": "user_id", "as": name}
    return {"$lookup": joined | {"pipeline": pipeline}}
