"""The event log: what happened, written in the transaction of the change.

One collection is history, outbox, sync feed and audit log. Order: events have a number within their stream (a project,
an account), taken from a counter document in the same transaction. Two transactions on one stream cannot both write
the counter, so numbers follow the order of commit: a reader that has read number N never misses a smaller one. `at`
never runs backwards within a stream, whatever the clocks of the machines say, so (`at`, `seq`) is an order over all
streams that keeps the order of each. The one order in which readers follow all streams is that of the positions, which
events get after their commit (`core/events/positions.py`).
"""

import re
from collections import Counter as Counts
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from bson import ObjectId, decode
from mongoengine import (
    BooleanField,
    DateTimeField,
    DictField,
    Document,
    IntField,
    ListField,
    ObjectIdField,
    StringField,
)  # fmt: skip
from pymongo import ReturnDocument, UpdateOne

from taskmanager.core.clock import advanced, iso, now
from taskmanager.core.configuration.service_groups import WORKING_SERVICES, working_service
from taskmanager.core.errors import Misconfigured
from taskmanager.core.registry import Part, derived, owner_of
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.replicas.reading import readable
from taskmanager.core.storage.unit_of_work import before_commit, on_commit
from taskmanager.core.stored_rows import find
from taskmanager.core.telemetry import recorded_events

# Which request caused the events that are recorded; the web sets it for each request, a job for each event.
correlation: ContextVar[dict[str, str]] = ContextVar("correlation", default={})  # noqa: B039 never mutated


class Counter(Document):
    """The last number of a stream, and the time of that event."""

    meta = {"collection": "counters", "strict": False, "auto_create_index": False}

    stream = StringField(primary_key=True)
    seq = IntField(required=True)
    at = DateTimeField(required=True)
    ended = BooleanField()  # the owner of the stream was purged: the counter is deleted with the last event
    unlogged = IntField()  # number of units of work that changed something of the stream without an event: see `touch`


class Event(Document):
    """One thing that happened. Immutable, except for position, erasure, and the relay's state (`pending` and below)."""

    meta = {"collection": "events", "strict": False, "auto_create_index": False, "queryset_class": BaseQuerySet}

    kind = StringField(required=True)
    stream = StringField(required=True)
    seq = IntField(required=True)
    at = DateTimeField(required=True)
    actor_id = ObjectIdField()
    subject_id = ObjectIdField()
    data = DictField()
    correlation = DictField()
    accounts = ListField(ObjectIdField())  # the accounts whose visible projects it changes: see Fact.accounts
    position = IntField()  # in the one order of all events; given after the commit
    audited = BooleanField()  # part of the audit log
    ends_sight = BooleanField()  # kept when its subject is purged, without its data
    forgotten = BooleanField()  # its subject was purged, and its data has only ids left: see `erasure`

    pending = ListField(StringField())  # listeners that have not finished with it
    due_at = DateTimeField()  # when the relay dispatches it (again); absent once all listeners have finished
    attempts = IntField()
    died_at = DateTimeField()  # given up: an operator decides


def plain(value: Any) -> Any:
    """Return a value of an event's data as JSON: moments in ISO 8601, ids as text."""
    if isinstance(value, dict):
        return {name: plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [plain(part) for part in value]
    if isinstance(value, datetime):
        return iso(value)
    return str(value) if isinstance(value, ObjectId) else value


@dataclass(frozen=True)
class Fact:
    """Base of a feature's events: defines their kind, their stream and their data."""

    kind: ClassVar[str]
    audited: ClassVar[bool] = False  # a security event: stored with the client's address, for the audit log
    ends_sight: ClassVar[bool] = False  # the subject leaves the stream: clients that sync have to hear of it

    def stream(self) -> str:
        """Return the stream of the event, such as `project:<id>`."""
        raise NotImplementedError

    def subject(self) -> ObjectId | None:
        """Return the id of what the event is about; None when there is none."""
        raise NotImplementedError

    def actor_id(self) -> ObjectId | None:
        """Return the id of the account that caused the event; None for the system."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """Return the data that readers of the log need: ids and values, no secrets."""
        return {}

    def accounts(self) -> Iterable[ObjectId]:
        """Return the accounts that begin or cease to see the project of the event by it."""
        return ()


def _all(events: Sequence[Event]) -> set[ObjectId]:
    return {event.id for event in events}


@dataclass(frozen=True)
class Listener:
    """A function that is called, by a job, with each event of some kinds. It must be safe to repeat.

    `more_kinds` returns further kinds, which depend on the contributions of other features.
    """

    name: str
    kinds: frozenset[str]
    queue: str
    handle: Callable[[Event], None]
    wanted: Callable[[Sequence[Event]], set[ObjectId]] = _all
    more_kinds: Callable[[], Iterable[str]] = tuple

    def __call__(self, event: Event) -> None:
        self.handle(event)


PRIORITIES = ("high", "default", "low")  # of jobs, from most to least urgent
# The names of the queues: of each service one for each priority, all urgent ones first.
QUEUES = tuple(f"{service}-{priority}" for priority in PRIORITIES for service in WORKING_SERVICES)

_NAME = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")
LISTENERS: Part[Listener] = Part("listeners")


def listen(
    *kinds: str,
    name: str,
    queue: str = "default",
    wanted: Callable[[Sequence[Event]], set[ObjectId]] = _all,
    more_kinds: Callable[[], Iterable[str]] = tuple,
) -> Callable[[Callable[[Event], None]], Listener]:
    """Make the decorated function a Listener, which a Feature contributes, for events of `kinds`.

    `queue` is one of PRIORITIES: jobs are in the queue of this priority of the feature's service. `wanted` returns the
    ids of those of some events that the listener wants. The relay calls it, so that unwanted events cost no job: it
    must be fast and must not miss any. When it raises, the listener gets all events.
    """
    if queue not in PRIORITIES or not _NAME.fullmatch(name):
        raise Misconfigured(f"a listener cannot have the name {name!r} or use the queue {queue!r}")

    return lambda function: Listener(name, frozenset(kinds), queue, function, wanted, more_kinds)


def queues_of(services: frozenset[str]) -> tuple[str, ...]:
    """Return the names of the queues of some services, from most to least urgent."""
    return tuple(name for name in QUEUES if name.partition("-")[0] in services)


def queue_name(priority: str, job: str) -> str:
    """Return the name of the queue for a listener or a job: that of the service whose feature contributes it."""
    owner = owner_of(job, "listeners", "jobs")
    return f"{working_service(owner.service if owner else '')}-{priority}"


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
    """Append `fact` to the log when the unit of work ends, with all other facts that it records.

    All writers of a stream share its counter document, so it is written last and locked for as short as possible.
    Raises RegistryNotLoaded in a process without features, because no listener would handle the event.
    """
    event: Row = {
        "_id": ObjectId(),
        "kind": fact.kind,
        "stream": fact.stream(),
        "actor_id": fact.actor_id(),
        "subject_id": fact.subject(),
        "data": fact.data(),
        "correlation": dict(correlation.get()),
    } | ({"ends_sight": True} if fact.ends_sight else {})
    if accounts := list(fact.accounts()):
        event["accounts"] = accounts
    if fact.audited:
        event["audited"] = True
    else:
        event["correlation"].pop("address", None)
    if pending := listeners_of(fact.kind):
        event |= {"pending": list(pending), "attempts": 0}
    before_commit(_append, event)


def touch(stream: str) -> None:
    """Change the generation of a stream when the unit of work ends, although it may record no event in it."""
    before_commit(_append, {"stream": stream})


def generation(streams: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return what is another value after each commit with an event, or a `touch`, in one of these streams."""
    wanted = list(streams)
    chosen = wanted[0] if len(wanted) == 1 else {"$in": wanted}  # MongoDB plans no query for one id
    with readable(Counter._get_collection()) as counters:
        rows = map(decode, find(counters, {"_id": chosen}, {"seq": 1, "unlogged": 1}, limit=len(wanted)))
    return sorted((row["_id"], row["seq"], row.get("unlogged", 0)) for row in rows)


def _append(items: list[Row]) -> None:
    """Number the events within their streams, in the order in which they were recorded, and store them.

    An item without a kind is no event: see `touch`.
    """
    events = [item for item in items if "kind" in item]
    numbers = Counts(event["stream"] for event in events)
    _raise_unlogged({item["stream"] for item in items} - numbers.keys())
    if not events:
        return
    counters = _raise_counters(dict(sorted(numbers.items())))
    numbered: Counts[str] = Counts()
    for event in events:
        stream = event["stream"]
        last, at = counters[stream]
        numbered[stream] += 1
        event |= {"seq": last - numbers[stream] + numbered[stream], "at": at}
        event |= {"due_at": at} if "pending" in event else {}
    if len(events) == 1:
        Event._get_collection().insert_one(events[0])
    else:
        Event._get_collection().insert_many(events)
    on_commit(lambda: recorded_events.count(events))


def project_of(event: Event) -> ObjectId:
    """Return the id of the project whose stream the event belongs to."""
    return ObjectId(event.stream.partition(":")[2])


def _raise_counters(numbers: dict[str, int]) -> dict[str, tuple[int, datetime]]:
    """Raise the counters of streams; return the last number and the time of each. Takes at most two commands."""
    counters, moment = Counter._get_collection(), now()
    if len(numbers) == 1:
        ((stream, number),) = numbers.items()
        row = counters.find_one_and_update(
            {"_id": stream}, _raise_by(number, moment), upsert=True, return_document=ReturnDocument.AFTER
        )
        return {stream: (row["seq"], row["at"])}
    counters.bulk_write(
        [UpdateOne({"_id": stream}, _raise_by(number, moment), upsert=True) for stream, number in numbers.items()]
    )
    return {row["_id"]: (row["seq"], row["at"]) for row in counters.find({"_id": {"$in": list(numbers)}})}


def _raise_unlogged(streams: Iterable[str]) -> None:
    operations = [
        UpdateOne({"_id": stream}, {"$inc": {"unlogged": 1}, "$setOnInsert": {"seq": 0, "at": now()}}, upsert=True)
        for stream in sorted(streams)
    ]
    if operations:
        Counter._get_collection().bulk_write(operations)


def _raise_by(number: int, moment: datetime) -> list[Row]:
    seq = {"$add": [{"$ifNull": ["$seq", 0]}, number]}
    return [{"$set": {"seq": seq, "at": advanced("at", moment)}}]
