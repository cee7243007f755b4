"""What events hold of something that is gone for good, such as a purged task, goes too, and what was made of them.

Audited events stay as they are: they hold no text that people wrote about tasks. Of the others those that all
listeners have finished are deleted; one that a listener waits for keeps the ids that it needs, and nothing else.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from taskmanager.core.events.log import Counter, Event
from taskmanager.core.events.retention import FINISHED
from taskmanager.core.registry import Part

_BATCH = 200
_MAX_SECONDS = 2
# Of what an event remembers this is needed to finish it: ids, and numbers.
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
    """Drops, or makes anew, what was made of some events and is stored elsewhere; the events say what is left of them.

    `refresh_copies` is called with events before they are forgotten, and must be safe to repeat.
    """

    name: str
    refresh_copies: Callable[[Sequence[Event]], None]


EVENT_RENEWALS: Part[EventRenewal] = Part("event_renewals")


def erase_subjects(*subject_ids: ObjectId) -> bool:
    """Forget what events hold of some things, in whatever streams. See `_erase`."""
    return _erase({"subject_id": {"$in": list(subject_ids)}})


def erase_stream(stream: str) -> bool:
    """Forget what a stream holds, whose owner is gone for good; its counter ends with its last event. See `_erase`."""
    Counter._get_collection().update_one({"_id": stream}, {"$set": {"ended": True}})
    _refresh_audited(stream)
    return _erase({"stream": stream})


def is_erased(event_id: ObjectId) -> bool:
    """Return whether an event was forgotten, which a job that has read it before must ask when it has stored of it."""
    row = Event._get_collection().find_one({"_id": event_id}, {"forgotten": 1})
    return row is None or bool(row.get("forgotten"))


def refresh_copies(events: Sequence[Event]) -> None:
    """Have what was made of events say what they say now."""
    for renewal in EVENT_RENEWALS.values():
        renewal.refresh_copies(events)


def _erase(about: dict[str, Any]) -> bool:
    """Go on for some seconds; answers whether that was all. What waits for a listener counts as done."""
    collection, end = Event._get_collection(), time.monotonic() + _MAX_SECONDS
    about = about | {"audited": None}
    collection.delete_many(about | FINISHED | {"forgotten": True})
    while events := list(Event.objects(__raw__=about | {"forgotten": None}).limit(_BATCH)):
        if time.monotonic() > end:
            return False
        collection.bulk_write([_emptied(strip(event)) for event in events])
        refresh_copies(events)
        collection.delete_many({"_id": {"$in": [event.id for event in events]}} | FINISHED)
    return True


def strip(event: Event) -> Event:
    """Take off an event in memory what is not needed to finish it."""
    event.data = {name: event.data[name] for name in _KEPT if name in event.data}
    event.forgotten = True
    return event


def _emptied(event: Event) -> UpdateOne:
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
