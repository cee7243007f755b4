"""The end of events: each is removed some days after it happened, audited ones by a setting of their own.

One that a listener has not finished, or that was given up and waits for an operator, stays, and so does one that
something told of it refers to, such as a delivery. Numbers of streams go on: they are counted in `counters`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.events.schedule import every
from taskmanager.core.registry import Part
from taskmanager.core.storage import walks
from taskmanager.core.storage.querysets import Row
from taskmanager.core.storage.unit_of_work import unit_of_work

log = structlog.get_logger("taskmanager.retention")

FINISHED = {"due_at": None, "died_at": None}
_SHORT_LIVED = "address:"  # streams of addresses that no account has: their counters end with their last event


@dataclass(frozen=True)
class EventNeed:
    """Of the ids of some events, `needed` returns those that must stay."""

    name: str
    needed: Callable[[list[ObjectId]], set[ObjectId]]


EVENT_NEEDS: Part[EventNeed] = Part("event_needs")


@every(600, name="events.retention")
def end_of_retention() -> None:
    """Delete what is older than the operator keeps it."""
    log.info("events", removed=remove_old())


def remove_old() -> int:
    """Delete events that are older than the settings keep them, for some seconds; answers how many."""
    chosen = settings.current()
    return sum(
        _remove(name, audited, now() - timedelta(days=days))
        for name, audited, days in (
            ("events", None, chosen.event_days),
            ("events.audited", True, chosen.audit_days),
        )
    )


def _remove(name: str, audited: bool | None, end: datetime) -> int:
    removed, needs = 0, list(EVENT_NEEDS.values())
    for rows in walks.batches(name, lambda after, limit: old(audited, end, after, limit), _key):
        ids = [row["_id"] for row in rows]
        kept = set[ObjectId]().union(*(need.needed(ids) for need in needs))
        going = {"_id": {"$in": [event_id for event_id in ids if event_id not in kept]}}
        removed += Event._get_collection().delete_many(going | FINISHED).deleted_count
        _drop_counters({row["stream"] for row in rows})
    return removed


def old(audited: bool | None, end: datetime, after: list[Any], limit: int) -> list[Row]:
    """Return finished events that happened before `end`, the oldest first; read from one stretch of an index."""
    query: Row = {"audited": audited, **FINISHED, "at": {"$lt": end}}
    if after:
        query |= {"at": {"$gte": after[0], "$lt": end}, "$or": [{"at": {"$gt": after[0]}}, {"_id": {"$gt": after[1]}}]}
    found = Event._get_collection().find(query, {"at": 1, "stream": 1})
    return list(found.sort([("at", 1), ("_id", 1)]).hint("retention").limit(limit))


def _key(row: Row) -> list[Any]:
    return [row["at"], row["_id"]]


def _drop_counters(streams: Iterable[str]) -> None:
    """Drop the counters of streams that have ended, and have no event any more."""
    ended = {"$or": [{"_id": {"$regex": f"^{_SHORT_LIVED}"}}, {"ended": True}]}
    for row in Counter._get_collection().find({"_id": {"$in": sorted(streams)}} | ended, {"_id": 1}):
        _drop_counter(row["_id"])


@unit_of_work
def _drop_counter(stream: str) -> None:
    if Event._get_collection().find_one({"stream": stream}, {"_id": 1}) is None:
        Counter._get_collection().delete_one({"_id": stream})
