"""Figures about sessions for operators."""

from datetime import timedelta
from typing import TypedDict

import pymongo

from taskmanager.core.clock import now
from taskmanager.features.users.models import Session

_SECONDS = 1.0
_PERIODS = {"day": timedelta(days=1), "week": timedelta(days=7), "month": timedelta(days=30)}


class SessionReport(TypedDict):
    """How many sessions are live, counted up to 1,000,000, and {period: users with a login or a refresh in it}."""

    live: int
    active_users: dict[str, int]


def report() -> SessionReport:
    """Return the present figures, from indexes. Raises PyMongoError, also when it takes longer than a second."""
    collection, moment = Session._get_collection(), now()
    with pymongo.timeout(_SECONDS):
        live = collection.count_documents({"expires_at": {"$gt": moment}, "ended_at": None}, limit=1_000_000)
        active = {period: _users_since(moment - length) for period, length in _PERIODS.items()}
    return {"live": live, "active_users": active}


def _users_since(start: object) -> int:
    steps = [{"$match": {"rotated_at": {"$gt": start}}}, {"$group": {"_id": "$user_id"}}, {"$count": "users"}]
    found = list(Session._get_collection().aggregate(steps))
    return int(found[0]["users"]) if found else 0
