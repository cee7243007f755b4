"""Erasure: when something is purged, such as a task, the content of its events is deleted, and the copies made of it.

Audited events are not changed: they contain no text that people wrote about tasks. Other events are deleted when all
listeners have finished; an event that is still pending keeps only the ids that its listeners need, and so does one that
ends the sight of its subject in its stream, because clients that sync must still hear of that.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bson import ObjectId
from pymongo import UpdateOne

from taskmanager.core.events.log import Counter, Event
from taskmanager.core.events.retention import FINISHED
from taskmanager.core.registry import Part
from taskmanager.core.storage.orders import Filter

_BATCH = 200
_MAX_SECONDS = 2
# The fields of an event's data that listeners need to finish it: ids, and numbers.
_KEPT = (
    "attachment_id",
    "comment_id",
    "content_ids",
    "key",
    "mentioned",
    "project_id",
    "revision",
    "role",
    "task_id",
    "token_id",
    "user_id",
)


@dataclass(frozen=True)
class EventRenewal:
    """Deletes, or builds again, the copies of events that are stored elsewhere.

    `refresh_copies` is called with the stripped events before they are deleted, and must be safe to repeat.
    """

    name: str
    refresh_copies: Callable[[Sequence[Event]], None]


EVENT_RENEWALS: Part[EventRenewal] = Part("event_renewals")


def erase_subjects(*subject_ids: ObjectId) -> bool:
    """Erase the events of these subjects in all streams, for some seconds; return whether all are erased."""
    return _erase({"subject_id": {"$in": list(subject_ids)}}, {"ends_sight": None})


def erase_stream(stream: str) -> bool:
    """Erase the events of a stream whose owner was purged, for some seconds; return whether all are erased.

    Retention deletes the stream's counter with its last event.
    """
    Counter._get_collection().update_one({"_id": stream}, {"$set": {"ended": True}})
    _refresh_audited(stream)
    return _erase({"stream": stream}, {})


def is_erased(event_id: ObjectId) -> bool:
    """Return whether an event was erased.

    A job that has read the event and stored a copy of it must check this afterwards.
    """
    row = Event._get_collection().find_one({"_id": event_id}, {"forgotten": 1})
    return row is None or bool(row.get("forgotten"))


def refresh_copies(events: Sequence[Event]) -> None:
    """Update all copies of these events to their present content."""
    for renewal in EVENT_RENEWALS.values():
        renewal.refresh_copies(events)


def _erase(query: Filter, deletable: Filter) -> bool:
    """Erase the events of `query` for some seconds; return whether all are. A stripped event counts as erased.

    Those of `deletable` are deleted when they are finished, all others are stripped.
    """
    deletable = deletable | FINISHED
    collection, end = Event._get_collection(), time.monotonic() + _MAX_SECONDS
    query = query | {"audited": None}
    collection.delete_many(query | deletable | {"forgotten": True})
    while events := list(Event.objects(__raw__=query | {"forgotten": None}).limit(_BATCH)):
        if time.monotonic() > end:
            return False
        collection.bulk_write([_update_of(strip(event)) for event in events])
        refresh_copies(events)
        collection.delete_many({"_id": {"$in": [event.id for event in events]}} | deletable)
    return True


def strip(event: Event) -> Event:
    """Remove from an event in memory all data that is not needed to finish it; return the event."""
    event.data = {name: event.data[name] for name in _KEPT if name in event.data}
    event.forgotten = True
    return event


def _update_of(event: Event) -> UpdateOne:
    return UpdateOne({"_id": event.id}, {"$set": {"data": event.data, "forgotten": True}})


def _refresh_audited(stream: str) -> None:
    after = 0
    while events := list(
        Event.objects(stream=stream, audited=True, seq__gt=after).order_by("seq").limit(_BATCH).hint("stream_seq")
    ):
        for event in events:
            event.forgotten = True
        refresh_copies(events)
        after = events[-1].seq
