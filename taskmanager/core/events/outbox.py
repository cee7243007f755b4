"""The outbox: it turns committed events into jobs, until all listeners have finished.

An event names its pending listeners, which have not finished with it. The relay makes a job of each; the job's id
consists of listener and event, so that dispatching it twice makes one job. A job that has finished removes its listener
from the event. When a job is lost, with the queue, a worker or the relay, its listener is still pending, and the relay
dispatches the event again: the queue may be emptied without losing anything.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from bson import ObjectId
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
from taskmanager.core.events.log import QUEUES, Event, listener, queue_name
from taskmanager.core.events.rq_jobs import SafeJob
from taskmanager.core.events.schedule import every
from taskmanager.core.registry import Part
from taskmanager.core.retry import RetryPolicy
from taskmanager.core.servers.stores import RedisError, queue_store
from taskmanager.core.storage.orders import Row
from taskmanager.core.telemetry import spans

log = structlog.get_logger("taskmanager.outbox")

JOB = "taskmanager.core.jobs.perform"
JOB_SECONDS = 60
_KEEP_FINISHED_SECONDS = 600
_KEEP_FAILED_SECONDS = 7 * 24 * 3600
_BATCH = 200
_MAX_IN_FLIGHT = 2_000
_LONG_WAIT_SECONDS = 300


class CallSerializer(JSONSerializer):
    """JSON, because loading a pickle can run code, and calls of one function only.

    RQ runs any importable function that a job names, so a process that can write to the queue could run
    anything. The serializer refuses it, because every kind of RQ worker uses the serializer.
    """

    @staticmethod
    def loads(s: bytes, *args: object, **kwargs: object) -> object:
        """Return the stored value. Raises Forbidden for a call (a list) of another function; RQ fails the job."""
        value = JSONSerializer.loads(s, *args, **kwargs)
        if isinstance(value, list) and value[:1] != [JOB]:
            raise Forbidden(f"Jobs call {JOB} and nothing else.", code="job.refused")
        return value


@dataclass(frozen=True)
class JobSource:
    """A source of jobs beside events; its jobs have its name, see `enqueue`.

    `make_jobs` takes the ids of the jobs in flight and how many more may be made; it returns how many it made.
    """

    name: str
    make_jobs: Callable[[set[str], int], int]


def retry_policy() -> RetryPolicy:
    """Return the policy by which the relay dispatches unfinished events again; it gives up after more than a day."""
    silence = settings.current().job_silence_seconds
    return RetryPolicy(first_seconds=silence, max_seconds=3600, min_attempts=40)


JOB_SOURCES: Part[JobSource] = Part("job_sources")


def source(name: str) -> Callable[[Callable[[set[str], int], int]], JobSource]:
    """Make the decorated function a JobSource, which a Feature contributes."""
    return lambda function: JobSource(name, function)


def relay_batch() -> int:
    """Dispatch the next due events in the order of their commit, then the jobs of other sources; return how many.

    Raises RedisError, PyMongoError; RegistryNotLoaded, because without features every listener would count as removed.
    """
    sources, in_flight = dict(JOB_SOURCES), _in_flight()
    of_sources = {name: _number(in_flight, name) for name in sources}
    made = _relay_events(in_flight, _MAX_IN_FLIGHT - len(in_flight) + sum(of_sources.values()))
    for name, more in sources.items():  # each has its own limit: thousands of failing jobs do not block other sources
        room = _MAX_IN_FLIGHT - of_sources[name]
        made += more.make_jobs(in_flight, room) if room > 0 else 0
    return made


def _number(in_flight: set[str], name: str) -> int:
    return sum(known.startswith(job_id(name, "")) for known in in_flight)


def _relay_events(in_flight: set[str], room: int) -> int:
    if room <= 0:
        return 0
    due = Event.objects(due_at__lte=now()).order_by("due_at", "seq").limit(min(room, _BATCH))
    events = list(due.hint("relay"))
    wanted, updates = _wanted(events), list[UpdateOne]()
    try:
        for event in events:
            updates += _dispatch_safely(event, in_flight, wanted)
    finally:  # also when the batch ends early: the jobs that were made are in flight, and are due again later
        if updates:
            Event._get_collection().bulk_write(updates)
    return len(events)


def _wanted(events: list[Event]) -> dict[str, set[ObjectId]]:
    """Return {listener: ids of the events that it wants}; a listener that is not installed wants none."""
    pending: dict[str, list[Event]] = {}
    for event in events:
        for name in event.pending:
            pending.setdefault(name, []).append(event)
    return {name: _wanted_by(name, its_events) for name, its_events in pending.items()}


def _wanted_by(name: str, events: list[Event]) -> set[ObjectId]:
    """Return the ids that a listener wants: all when its `wanted` fails, so that it blocks no other listener."""
    known = listener(name)
    if known is None:
        return set()
    try:
        return known.wanted(events)
    except (PyMongoError, RedisError):
        raise
    except Exception:
        log.exception("the filter of a listener failed: it gets all events", listener=name)
        return {event.id for event in events}


def acknowledge(event_id: ObjectId, name: str) -> None:
    """Remove the listener `name` from an event; after the last one the event is finished. One atomic update."""
    Event._get_collection().bulk_write([_acknowledgement(event_id, name)])


def _acknowledgement(event_id: ObjectId, name: str) -> UpdateOne:
    pending = {"$setDifference": [{"$ifNull": ["$pending", []]}, [name]]}
    ended = {
        field: {"$cond": [{"$eq": [pending, []]}, "$$REMOVE", f"${field}"]}
        for field in ("due_at", "died_at")  # an operator can have an event that was given up run after all
    }
    return UpdateOne({"_id": event_id}, [{"$set": {**ended, "pending": pending}}])


def queue(name: str) -> Queue:
    """Return the queue of this name, one of QUEUES."""
    options: dict[str, Any] = {"serializer": CallSerializer, "job_class": SafeJob, "default_timeout": JOB_SECONDS}
    return Queue(name, connection=queue_store(), **options)


def count_pending() -> int:
    """Return how many events have pending listeners, counted up to 100,000."""
    return Event._get_collection().count_documents({"due_at": {"$exists": True}}, limit=100_000)


def count_dead() -> int:
    """Return how many events were given up and wait for an operator, counted up to 100,000."""
    return Event._get_collection().count_documents({"died_at": {"$exists": True}}, limit=100_000)


def oldest_seconds() -> float:
    """Return the age in seconds of the oldest event with pending listeners; 0 when there is none."""
    pending = {"due_at": {"$exists": True}}
    oldest = Event._get_collection().find_one(pending, {"at": 1}, sort=[("at", 1)], hint="relay")
    return (now() - oldest["at"]).total_seconds() if oldest else 0.0


def revive() -> int:
    """Make the events that were given up due again; return how many."""
    given_up = {"died_at": {"$exists": True}, "pending": {"$ne": []}}
    again = {"$set": {"due_at": now(), "attempts": 0}, "$unset": {"died_at": 1}}
    return Event._get_collection().update_many(given_up, again).modified_count


@every(60, name="outbox.watch")
def watch() -> None:
    """Log the backlog, as a warning when an event has waited for more than five minutes or was given up."""
    waited, given_up = oldest_seconds(), count_dead()
    report = log.warning if given_up or waited > _LONG_WAIT_SECONDS else log.info if waited else log.debug
    fix_times()
    report("outbox", waiting=count_pending(), waited_s=round(waited, 1), given_up=given_up)


def fix_times() -> None:
    """Make events due now whose time is later than the retry policy allows: a wrong clock has set it."""
    latest = now() + timedelta(seconds=retry_policy().max_seconds + _LONG_WAIT_SECONDS)
    found = Event._get_collection().update_many({"due_at": {"$gt": latest}}, {"$set": {"due_at": now()}})
    if found.modified_count:
        log.warning("impossible due times corrected", events=found.modified_count)


def _in_flight() -> set[str]:
    """Return the ids of the jobs that are queued, or run by a worker that sends heartbeats.

    A job's own status proves nothing: a worker that is killed between taking a job from the queue and
    starting it leaves the job's status at "queued".
    """
    with queue_store().pipeline() as pipeline:
        for name in QUEUES:
            pipeline.zrangebyscore(queue(name).started_job_registry.key, now().timestamp(), "+inf")
            pipeline.lrange(queue(name).key, 0, -1)
        entries = [entry for found in pipeline.execute() for entry in found]
    # in the registry of started jobs an entry is "job:execution"; entries of other programs may be any bytes
    return {entry.decode("utf-8", "replace").partition(":")[0] for entry in entries}


def _dispatch_safely(event: Event, in_flight: set[str], wanted: dict[str, set[ObjectId]]) -> list[UpdateOne]:
    """Dispatch an event; one that fails is due again in five minutes and does not block the events behind it."""
    try:
        return _dispatch(event, in_flight, wanted)
    except (PyMongoError, RedisError):
        raise
    except Exception:
        log.exception("event not dispatched", event_id=str(event.id))
        return [_plan(event, {"due_at": now() + timedelta(seconds=_LONG_WAIT_SECONDS)})]


def _dispatch(event: Event, in_flight: set[str], wanted: dict[str, set[ObjectId]]) -> list[UpdateOne]:
    """Make the jobs of an event; return the updates of the event that are to be written."""
    # listeners of a plugin that is no longer installed, and those that do not want this event
    unwanted = [name for name in event.pending if event.id not in wanted[name]]
    missing = [name for name in event.pending if name not in unwanted and job_id(name, event.id) not in in_flight]
    done = [_acknowledgement(event.id, name) for name in unwanted]
    retry = retry_policy()
    if not missing:  # check again later, in case the worker dies; this is no attempt
        return [*done, _plan(event, {"due_at": now() + timedelta(seconds=settings.current().job_silence_seconds)})]
    if retry.exhausted(event.attempts):
        return [*done, _plan(event, {"died_at": now()}, {"due_at": 1})]
    with spans.span(f"relay {event.kind}", "producer", event.correlation.get(spans.TRACEPARENT, "")) as opened:
        for name in missing:
            _enqueue_for(event, name, spans.carried(opened, event.correlation))
    attempts = event.attempts + 1
    return [*done, _plan(event, {"due_at": now() + retry.delay(attempts), "attempts": attempts})]


def _plan(event: Event, values: Row, remove: Row | None = None) -> UpdateOne:
    update = {"$set": values, **({"$unset": remove} if remove else {})}
    # due_at is part of the filter: a job that has finished in the meantime has removed it, and it must stay removed
    return UpdateOne({"_id": event.id, "due_at": event.due_at}, update)


def _enqueue_for(event: Event, name: str, correlation: Row) -> None:
    known = listener(name)
    assert known
    enqueue(known.queue, name, event.id, f"{name} of {event.kind} {event.id}", correlation)


def job_id(name: str, item_id: ObjectId | str) -> str:
    """Return the id of the job of this name for this item."""
    return f"{name.replace('.', '-')}-{item_id}"  # RQ allows no dots


def enqueue(priority: str, name: str, item_id: ObjectId, description: str, meta: Mapping[str, object]) -> None:
    """Enqueue a job of the service that it belongs to, unless it is in flight; replace what an earlier attempt left.

    Raises RedisError.
    """
    full_name, its_id = queue_name(priority, name), job_id(name, item_id)
    known = queue(full_name)
    options: dict[str, Any] = {
        "args": (name, str(item_id)),
        "job_id": its_id,
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
        if its_id not in _in_flight():  # else another relay was faster
            _remove_job(its_id, full_name)
            with suppress(DuplicateJobError):
                known.enqueue_call(JOB, **options)


def _remove_job(its_id: str, full_name: str) -> None:
    """Remove a job that is not in flight. RQ's own `delete` raises for a job whose worker has died (RQ 3.0)."""
    known = queue(full_name)
    with queue_store().pipeline() as pipeline:
        pipeline.delete(Job.key_for(its_id), ExecutionRegistry(its_id, connection=pipeline).key)
        pipeline.zrem(known.failed_job_registry.key, its_id)
        pipeline.zrem(known.finished_job_registry.key, its_id)
        pipeline.execute()
