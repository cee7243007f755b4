"""From committed events to jobs, and back to "all have finished".

An event names the listeners that have not finished with it. The relay turns each into a job whose id is
made of listener and event, so that handing it out twice makes one job; the job takes its listener off the
event when it is done. What was lost on the way, with the queue, a worker or the relay, is still named in
the event and is handed out again: the queue may be emptied without losing anything.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from pymongo import UpdateOne
from pymongo.errors import PyMongoError
from rq import Queue
from rq.exceptions import DuplicateJobError
from rq.executions import ExecutionRegistry
from rq.job import Job
from rq.serializers import JSONSerializer

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Forbidden
from taskmanager.core.events.log import QUEUES, Event, listener
from taskmanager.core.events.rq_jobs import SafeJob
from taskmanager.core.events.schedule import every
from taskmanager.core.registry import Part
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.servers.stores import RedisError, queue_store

log = structlog.get_logger("taskmanager.outbox")

JOB = "taskmanager.core.jobs.perform"
JOB_SECONDS = 60
_KEEP_FINISHED_SECONDS = 600
_KEEP_FAILED_SECONDS = 7 * 24 * 3600
_BATCH = 200
_MAX_IN_FLIGHT = 2_000
_LONG_WAIT_SECONDS = 300


class CallSerializer(JSONSerializer):
    """JSON, because what a pickle holds can run code, and a call of one function only.

    RQ runs whatever importable function a job names, so that whoever can write to the queue could run
    anything. The refusal sits here because it then holds for every kind of RQ worker.
    """

    @staticmethod
    def loads(s: bytes, *args: Any, **kwargs: Any) -> Any:
        """Return what `dumps` made. Raises Forbidden for a call (a list) of another function; RQ fails the job."""
        value = JSONSerializer.loads(s, *args, **kwargs)
        if isinstance(value, list) and value[:1] != [JOB]:
            raise Forbidden(f"Jobs call {JOB} and nothing else.", code="job.refused")
        return value


@dataclass(frozen=True)
class JobSource:
    """What else the relay makes jobs of. They have the name of the source, see `enqueue`.

    `make_jobs` is called with the ids of the jobs in flight and with how many more there may be; returns how many it
    made.
    """

    name: str
    make_jobs: Callable[[set[str], int], int]


def retry_policy() -> RetryPolicy:
    """Return when the relay dispatches an event again whose listeners have not finished: for more than a day."""
    silence = settings.current().job_silence_seconds
    return RetryPolicy(first_seconds=silence, max_seconds=3600, min_attempts=40)


JOB_SOURCES: Part[JobSource] = Part("job_sources")


def source(name: str) -> Callable[[Callable[[set[str], int], int]], JobSource]:
    """Make the decorated function a JobSource, which a Feature contributes."""
    return lambda function: JobSource(name, function)


def relay_batch() -> int:
    """Hand out the next due events in the order of their commit, then what other sources have; answers how many.

    Raises RedisError, PyMongoError; RegistryNotLoaded, because without features every listener would count as removed.
    """
    sources, in_flight = dict(JOB_SOURCES), _in_flight()
    of_sources = {name: _number(in_flight, name) for name in sources}
    made = _relay_events(in_flight, _MAX_IN_FLIGHT - len(in_flight) + sum(of_sources.values()))
    for name, more in sources.items():  # each has room of its own: what fails by the thousand holds up nothing else
        room = _MAX_IN_FLIGHT - of_sources[name]
        made += more.make_jobs(in_flight, room) if room > 0 else 0
    return made


def _number(in_flight: set[str], name: str) -> int:
    return sum(place.startswith(job_id(name, "")) for place in in_flight)


def _relay_events(in_flight: set[str], room: int) -> int:
    if room <= 0:
        return 0
    due = Event.objects(due_at__lte=now()).order_by("due_at", "seq").limit(min(room, _BATCH))
    events = list(due.hint("relay"))
    wanted, updates = _wanted(events), list[UpdateOne]()
    try:
        for event in events:
            updates += _dispatch_safely(event, in_flight, wanted)
    finally:  # also of a batch that ends early: what was made is in flight, and would only be looked at again
        if updates:
            Event._get_collection().bulk_write(updates)
    return len(events)


def _wanted(events: list[Event]) -> dict[str, set[Any]]:
    """Return {listener: ids of the events that it wants}; of listeners that are not installed nothing."""
    pending: dict[str, list[Event]] = {}
    for event in events:
        for name in event.pending:
            pending.setdefault(name, []).append(event)
    return {name: _wanted_by(name, of_it) for name, of_it in pending.items()}


def _wanted_by(name: str, events: list[Event]) -> set[Any]:
    """Return one listener that cannot say what it wants gets all, and holds up no other."""
    known = listener(name)
    if known is None:
        return set()
    try:
        return known.wanted(events)
    except (PyMongoError, RedisError):
        raise
    except Exception:
        log.exception("a listener cannot say what it wants", listener=name)
        return {event.id for event in events}


def acknowledge(event_id: Any, name: str) -> None:
    """Take listener `name` off the event; when it was the last, the relay is done with it. One atomic update."""
    Event._get_collection().bulk_write([_acknowledgement(event_id, name)])


def _acknowledgement(event_id: Any, name: str) -> UpdateOne:
    left = {"$setDifference": [{"$ifNull": ["$pending", []]}, [name]]}
    ended = {
        field: {"$cond": [{"$eq": [left, []]}, "$$REMOVE", f"${field}"]}
        for field in ("due_at", "died_at")  # one that was given up may be done after all, by an operator's hand
    }
    return UpdateOne({"_id": event_id}, [{"$set": {**ended, "pending": left}}])


def queue(name: str) -> Queue:
    """Return the queue of this urgency."""
    options: dict[str, Any] = {"serializer": CallSerializer, "job_class": SafeJob, "default_timeout": JOB_SECONDS}
    return Queue(name, connection=queue_store(), **options)


def waiting() -> int:
    """Return how many events are not finished by all their listeners."""
    return Event._get_collection().count_documents({"due_at": {"$exists": True}}, limit=100_000)


def dead() -> int:
    """Return how many events were given up: an operator decides about them."""
    return Event._get_collection().count_documents({"died_at": {"$exists": True}}, limit=100_000)


def revive() -> int:
    """Hand out again what was given up; answers how many events."""
    given_up = {"died_at": {"$exists": True}, "pending": {"$ne": []}}
    again = {"$set": {"due_at": now(), "attempts": 0}, "$unset": {"died_at": 1}}
    return Event._get_collection().update_many(given_up, again).modified_count


@every(60, name="outbox.watch")
def watch() -> None:
    """Report the backlog, as a warning when an event has waited for long or was given up."""
    pending = {"due_at": {"$exists": True}}
    oldest = Event._get_collection().find_one(pending, {"at": 1}, sort=[("at", 1)], hint="relay")
    waited = (now() - oldest["at"]).total_seconds() if oldest else 0.0
    given_up = dead()
    report = log.warning if given_up or waited > _LONG_WAIT_SECONDS else log.info
    fix_times()
    report("outbox", waiting=waiting(), waited_s=round(waited, 1), given_up=given_up)


def fix_times() -> None:
    """Hand out now what is due later than anything can be: a clock that was wrong has said so."""
    latest = now() + timedelta(seconds=retry_policy().max_seconds + _LONG_WAIT_SECONDS)
    found = Event._get_collection().update_many({"due_at": {"$gt": latest}}, {"$set": {"due_at": now()}})
    if found.modified_count:
        log.warning("times that cannot be are mended", events=found.modified_count)


def _in_flight() -> set[str]:
    """Return ids of the jobs that are queued, or run by a worker that gives signs of life.

    A job's own status proves nothing: a worker that is killed between taking a job from the queue and
    starting it leaves one that says "queued" for ever.
    """
    with queue_store().pipeline() as pipeline:
        for name in QUEUES:
            pipeline.zrangebyscore(queue(name).started_job_registry.key, now().timestamp(), "+inf")
            pipeline.lrange(queue(name).key, 0, -1)
        entries = [entry for found in pipeline.execute() for entry in found]
    # in the registry of those that run an entry is "job:execution"; what is not ours may be any bytes
    return {entry.decode("utf-8", "replace").partition(":")[0] for entry in entries}


def _dispatch_safely(event: Event, in_flight: set[str], wanted: dict[str, set[Any]]) -> list[UpdateOne]:
    """Return one event that cannot be handed out, for whatever reason, must not hold up those behind it."""
    try:
        return _dispatch(event, in_flight, wanted)
    except (PyMongoError, RedisError):
        raise
    except Exception:
        log.exception("event not handed out", event_id=str(event.id))
        return [_plan(event, {"due_at": now() + timedelta(seconds=_LONG_WAIT_SECONDS)})]


def _dispatch(event: Event, in_flight: set[str], wanted: dict[str, set[Any]]) -> list[UpdateOne]:
    """Make jobs of an event; answers what is to be written down of it."""
    # a plugin that is no longer installed will never finish this, and some listeners know at once that it is not theirs
    of_nobody = [name for name in event.pending if event.id not in wanted[name]]
    left = [name for name in event.pending if name not in of_nobody and job_id(name, event.id) not in in_flight]
    done = [_acknowledgement(event.id, name) for name in of_nobody]
    retry = retry_policy()
    if not left:  # look again in case its worker dies, and count no attempt
        return [*done, _plan(event, {"due_at": now() + timedelta(seconds=settings.current().job_silence_seconds)})]
    if retry.exhausted(event.attempts):
        return [*done, _plan(event, {"died_at": now()}, {"due_at": 1})]
    for name in left:
        _enqueue_for(event, name)
    attempts = event.attempts + 1
    return [*done, _plan(event, {"due_at": now() + retry.delay(attempts), "attempts": attempts})]


def _plan(event: Event, values: dict[str, Any], remove: dict[str, Any] | None = None) -> UpdateOne:
    update = {"$set": values, **({"$unset": remove} if remove else {})}
    # due_at is part of the filter: a job that finished meanwhile has removed it, and it must stay removed
    return UpdateOne({"_id": event.id, "due_at": event.due_at}, update)


def _enqueue_for(event: Event, name: str) -> None:
    known = listener(name)
    assert known
    enqueue(known.queue, name, event.id, f"{name} of {event.kind} {event.id}", dict(event.correlation))


def job_id(name: str, item_id: Any) -> str:
    """Return the id of the one job that there is of this name for this item."""
    return f"{name.replace('.', '-')}-{item_id}"  # RQ takes no dots


def enqueue(queue_name: str, name: str, item_id: Any, description: str, meta: dict[str, Any]) -> None:
    """Make a job, unless it is in flight; what an earlier attempt left in its place is removed. Raises RedisError."""
    known, place = queue(queue_name), job_id(name, item_id)
    options: dict[str, Any] = {
        "args": (name, str(item_id)),
        "job_id": place,
        "unique": True,
        "timeout": JOB_SECONDS,
        "result_ttl": _KEEP_FINISHED_SECONDS,
        "failure_ttl": _KEEP_FAILED_SECONDS,
        "description": description,
        "meta": meta,
    }
    try:
        known.enqueue_call(JOB, **options)
    except DuplicateJobError:
        if place not in _in_flight():  # else another relay was faster
            _remove_job(place, queue_name)
            with suppress(DuplicateJobError):
                known.enqueue_call(JOB, **options)


def _remove_job(place: str, queue_name: str) -> None:
    """Remove a job that is not in flight. RQ's own `delete` raises for a job whose worker has vanished (RQ 3.0)."""
    known = queue(queue_name)
    with queue_store().pipeline() as pipeline:
        pipeline.delete(Job.key_for(place), ExecutionRegistry(place, connection=pipeline).key)
        pipeline.zrem(known.failed_job_registry.key, place)
        pipeline.zrem(known.finished_job_registry.key, place)
        pipeline.execute()
