"""The event log: what happened, written in the transaction that made it happen.

The one collection is history, outbox, sync feed and audit trail. Order: events have a number within their
stream (a project, an account), taken from a counter document in the same transaction. Two transactions on
one stream cannot both hold the counter, so numbers follow the order of commit: a reader that has seen
number N never misses a smaller one. `at` never runs backwards within a stream, whatever the clocks of the
machines say, so (`at`, `seq`) is an order over all streams that keeps the order of each.
"""

import re
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from bson import ObjectId
from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)
from pymongo import ReturnDocument, UpdateOne

from taskmanager.core.clock import advanced, iso, now
from taskmanager.core.errors import Misconfigured
from taskmanager.core.registry import Part, derived
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import before_commit

# Where the log remembers which request caused an event; the web sets it per request, a job per event.
correlation: ContextVar[dict[str, str]] = ContextVar("correlation", default={})  # noqa: B039 never mutated


class Counter(Document):
    """The last number given in a stream, and the time of that event."""

    meta = {"collection": "counters", "strict": False, "auto_create_index": False}

    stream = StringField(primary_key=True)
    seq = IntField(required=True)
    at = DateTimeField(required=True)
    ended = BooleanField()  # the owner of the stream is gone for good: it goes with the last event


class Event(Document):
    """One thing that happened. Not changed, but for what the relay keeps in it (`pending` to `died_at`)."""

    meta = {"collection": "events", "strict": False, "auto_create_index": False, "queryset_class": BaseQuerySet}

    kind = StringField(required=True)
    stream = StringField(required=True)
    seq = IntField(required=True)
    at = DateTimeField(required=True)
    actor_id = ObjectIdField()
    subject_id = ObjectIdField()
    data = DictField()
    correlation = DictField()
    audited = BooleanField()  # belongs to the audit log
    forgotten = BooleanField()  # what it is about is gone for good: it has ids only, see `forgetting`

    pending = ListField(StringField())  # listeners that have not finished with it
    due_at = DateTimeField()  # when the relay hands it out (again); absent once all have finished
    attempts = IntField()
    died_at = DateTimeField()  # given up: an operator decides


def plain(value: Any) -> Any:
    """Return what an event remembers, as JSON can say it."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, ObjectId) else value


@dataclass(frozen=True)
class Fact:
    """Base of a feature's events: says its kind, its stream, and what to remember."""

    kind: ClassVar[str]
    audited: ClassVar[bool] = False  # a security event: kept with the address it came from, for the audit log

    def stream(self) -> str:
        """Return the stream it belongs to, such as `project:<id>`."""
        raise NotImplementedError

    def subject(self) -> ObjectId | None:
        """Return id of the thing it happened to; None when there is none."""
        raise NotImplementedError

    def actor_id(self) -> ObjectId | None:
        """Return who did it; None for the system."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """Return what readers of the log need to know; ids and values, no secrets."""
        return {}


def _all(events: Sequence[Event]) -> set[ObjectId]:
    return {event.id for event in events}


@dataclass(frozen=True)
class Listener:
    """A function that is called, by a job, with each event of some kinds. It must be safe to repeat.

    `more_kinds` returns further kinds, which depend on what other features contribute.
    """

    name: str
    kinds: frozenset[str]
    queue: str
    handle: Callable[[Event], None]
    wanted: Callable[[Sequence[Event]], set[ObjectId]] = _all
    more_kinds: Callable[[], Iterable[str]] = tuple

    def __call__(self, event: Event) -> None:
        self.handle(event)


QUEUES = ("high", "default", "low")  # from most to least urgent

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
LISTENERS: Part[Listener] = Part("listeners")


def listen(
    *kinds: str,
    name: str,
    queue: str = "default",
    wanted: Callable[[Sequence[Event]], set[ObjectId]] = _all,
    more_kinds: Callable[[], Iterable[str]] = tuple,
) -> Callable[[Callable[[Event], None]], Listener]:
    """Make the decorated function a Listener, which a Feature contributes, for events of `kinds` on one of the QUEUES.

    `wanted` answers the ids of those of some events that are of interest; the relay asks it, so that the
    others cost no job: it must be quick and sure. Where it raises, the listener gets all of them.
    """
    if queue not in QUEUES or not _NAME.fullmatch(name):
        raise Misconfigured(f"a listener cannot be called {name!r} or use the queue {queue!r}")

    return lambda function: Listener(name, frozenset(kinds), queue, function, wanted, more_kinds)


def listener(name: str) -> Listener | None:
    """Return the listener of this name; None when no installed feature or plugin has it. Raises RegistryNotLoaded."""
    return LISTENERS.get(name)


def listeners_of(kind: str) -> list[str]:
    """Return the names of the listeners of a kind, in a fixed order. Raises RegistryNotLoaded."""
    return _names_by_kind().get(kind, [])


@derived
def _names_by_kind() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, known in sorted(LISTENERS.items()):
        for kind in known.kinds.union(known.more_kinds()):
            found.setdefault(kind, []).append(name)
    return found


def record(fact: Fact) -> None:
    """Append `fact` to the log when the unit of work ends, with all others that it records.

    The counter is the one document that all writers of a stream share, so it is held as shortly as possible. Raises
    RegistryNotLoaded in a process without features: no listener would ever hear of it.
    """
    event: dict[str, Any] = {
        "_id": ObjectId(),
        "kind": fact.kind,
        "stream": fact.stream(),
        "actor_id": fact.actor_id(),
        "subject_id": fact.subject(),
        "data": fact.data(),
        "correlation": dict(correlation.get()),
    }
    if fact.audited:
        event["audited"] = True
    else:
        event["correlation"].pop("address", None)
    waiting = listeners_of(fact.kind)
    if waiting:
        event |= {"pending": list(waiting), "attempts": 0}
    before_commit(_append, event)


def _append(events: list[dict[str, Any]]) -> None:
    """Number the events within their streams, in the order in which they were recorded, and store them."""
    numbers = Counts(event["stream"] for event in events)
    places = _next_places(dict(sorted(numbers.items())))
    given: Counts[str] = Counts()
    for event in events:
        stream = event["stream"]
        last, at = places[stream]
        given[stream] += 1
        event |= {"seq": last - numbers[stream] + given[stream], "at": at} | (
            {"due_at": at} if "pending" in event else {}
        )
    Event._get_collection().insert_many(events)


def project_of(event: Event) -> ObjectId:
    """Return the project whose event it is."""
    return ObjectId(event.stream.partition(":")[2])


def _next_places(numbers: dict[str, int]) -> dict[str, tuple[int, datetime]]:
    """Raise the counters of streams; return the last number and the time of each. Two commands for any number."""
    counters, moment = Counter._get_collection(), now()
    if len(numbers) == 1:
        ((stream, number),) = numbers.items()
        row = counters.find_one_and_update(
            {"_id": stream}, _raised(number, moment), upsert=True, return_document=ReturnDocument.AFTER
        )
        return {stream: (row["seq"], row["at"])}
    counters.bulk_write(
        [UpdateOne({"_id": stream}, _raised(number, moment), upsert=True) for stream, number in numbers.items()]
    )
    return {row["_id"]: (row["seq"], row["at"]) for row in counters.find({"_id": {"$in": list(numbers)}})}


def _raised(number: int, moment: datetime) -> list[dict[str, Any]]:
    seq = {"$add": [{"$ifNull": ["$seq", 0]}, number]}
    return [{"$set": {"seq": seq, "at": advanced("at", moment)}}]
