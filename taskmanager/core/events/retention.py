"""Retention: each event is deleted some days after it happened; audited events have a setting of their own.

Both are at least the days for which tokens of `GET /sync` are accepted. An event stays while it is pending, while it
was given up and waits for an operator, and while something refers to it, such as a delivery.
The numbers of a stream continue after a deletion, because `counters` holds the last one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.events import positions
from taskmanager.core.events.log import Counter, Event
from taskmanager.core.events.schedule import every
from taskmanager.core.registry import Part
from taskmanager.core.storage import walks
from taskmanager.core.storage.orders import Key, Row
from taskmanager.core.storage.unit_of_work import unit_of_work

log = structlog.get_logger("taskmanager.retention")

FINISHED = {"due_at": None, "died_at": None}
_SHORT_LIVED = "address:"  # streams of addresses without an account: their counters are deleted with the last event


@dataclass(frozen=True)
class EventNeed:
    """A reason to keep events: of the ids of some events, `needed` returns those that must stay."""

    name: str
    needed: Callable[[list[ObjectId]], set[ObjectId]]


EVENT_NEEDS: Part[EventNeed] = Part("event_needs")


@every(600, name="events.retention")
def end_of_retention() -> None:
    """Delete the events that are older than the settings allow, and log how many, if any."""
    if removed := remove_old():
        log.info("events", removed=removed)


def remove_old() -> int:
    """Delete events that are older than the settings allow, for some seconds; return how many."""
    chosen = settings.current()
    return sum(
        _remove(name, audited, now() - timedelta(days=days))
        for name, audited, days in (
            ("events", None, max(chosen.event_days, chosen.sync_days)),
            ("events.audited", True, max(chosen.audit_days, chosen.sync_days)),
        )
    )


def _remove(name: str, audited: bool | None, end: datetime) -> int:
    removed, needs = 0, list(EVENT_NEEDS.values())
    for rows in walks.batches(name, lambda after, limit: old(audited, end, after, limit), _key):
        ids = [row["_id"] for row in rows]
        kept = set[ObjectId]().union(*(need.needed(ids) for need in needs))
        going = {"_id": {"$in": [event_id for event_id in ids if event_id not in kept]}}
        positions.raise_floor(max(row.get("position", 0) for row in rows))
        removed += Event._get_collection().delete_many(going | FINISHED).deleted_count
        _drop_counters({row["stream"] for row in rows})
    return removed


def old(audited: bool | None, end: datetime, after: Key, limit: int) -> list[Row]:
    """Return finished events that happened before `end` and follow the key `after`, oldest first.

    Reads one contiguous range of an index.
    """
    query: Row = {"audited": audited, **FINISHED, "at": {"$lt": end}}
    if after:
        query |= {"at": {"$gte": after[0], "$lt": end}, "$or": [{"at": {"$gt": after[0]}}, {"_id": {"$gt": after[1]}}]}
    found = Event._get_collection().find(query, {"at": 1, "stream": 1, "position": 1})
    return list(found.sort([("at", 1), ("_id", 1)]).hint("retention").limit(limit))


def _key(row: Row) -> Key:
    return [row["at"], row["_id"]]


def _drop_counters(streams: Iterable[str]) -> None:
    """Delete the counters of streams that have ended and have no events left."""
    ended = {"$or": [{"_id": {"$regex": f"^{_SHORT_LIVED}"}}, {"ended": True}]}
    for row in Counter._get_collection().find({"_id": {"$in": sorted(streams)}} | ended, {"_id": 1}):
        _drop_counter(row["_id"])


@unit_of_work
def _drop_counter(stream: str) -> None:
    if Event._get_collection().find_one({"stream": stream}, {"_id": 1}) is None:
        Counter._get_collection().delete_one({"_id": stream})
