"""The one function that workers run: it calls a registered listener with a stored event, or runs another job."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
from bson import ObjectId
from rq import get_current_job

from taskmanager.core.clock import now
from taskmanager.core.events.log import Event, correlation, listener
from taskmanager.core.events.outbox import acknowledge
from taskmanager.core.events.queue_report import JOBS
from taskmanager.core.registry import Part
from taskmanager.core.telemetry import spans
from taskmanager.core.telemetry.instruments import JOB_SECONDS, JOB_WAIT_SECONDS, OTHER
from taskmanager.core.telemetry.timings import SPENT

log = structlog.get_logger("taskmanager.jobs")


@dataclass(frozen=True)
class Job:
    """A job that is not a call of a listener: `run` takes the id of its subject, and is safe to repeat."""

    name: str
    run: Callable[[ObjectId], None]


ORIGIN = ("request_id", spans.TRACEPARENT)  # in documents and in `meta` of jobs: which request caused them
KNOWN_JOBS: Part[Job] = Part("jobs")


def origin() -> dict[str, str]:
    """Return the fields of a document that is done later than the present request or job: where it comes from."""
    present = correlation.get()
    return {name: present[name] for name in ORIGIN if name in present} | spans.carried_on()


def origin_of(document: object) -> dict[str, str]:
    """Return what `origin` stored in this document, for its job."""
    return {name: value for name in ORIGIN if (value := getattr(document, name))}


def perform(name: str, item_id: str) -> None:
    """Run the job `name` for this id, or call the listener `name` with the event of this id; may run twice.

    Raises RegistryNotLoaded, because a job of an unknown name counts as done.
    """
    SPENT.begin()
    _count_wait()
    try:
        with spans.span(_label(name), "consumer", _parent(), messaging__destination__name=_queue()) as opened:
            _perform(name, item_id, opened)
    except BaseException:
        JOBS.count(_queue(), "failed")
        raise
    finally:
        JOB_SECONDS.labels(_label(name)).observe(time.perf_counter() - SPENT.started)
        spans.end_of_job()
    JOBS.count(_queue(), "done")


def _perform(name: str, item_id: str, opened: spans.OpenSpan | None) -> None:
    if name in KNOWN_JOBS:
        _run(KNOWN_JOBS[name], item_id, opened)
    else:
        _call_listener(name, item_id, opened)


def _parent() -> str:
    """Return the context of the trace that the running job is part of; "" when there is none."""
    return _origin_of_job().get(spans.TRACEPARENT, "")


def _origin_of_job() -> dict[str, str]:
    running = get_current_job()
    meta = running.meta if running else {}
    return {name: str(meta[name]) for name in ORIGIN if meta.get(name)}


@contextmanager
def _correlated(values: dict[str, str]) -> Iterator[None]:
    token = correlation.set(values)
    try:
        yield
    finally:
        correlation.reset(token)


def _label(name: str) -> str:
    return name if name in KNOWN_JOBS or listener(name) else OTHER


def _count_wait() -> None:
    """Count for how long the running job has waited in its queue."""
    waited = _waited_seconds()
    if waited is not None:
        JOB_WAIT_SECONDS.labels(_queue()).observe(waited)


def _waited_seconds() -> float | None:
    """Return for how long the running job has waited before it was run; None when no worker runs it."""
    running = get_current_job()
    if not running or not running.enqueued_at:
        return None
    return max(0.0, ((running.started_at or now()) - running.enqueued_at).total_seconds())


def _run(job: Job, item_id: str, opened: spans.OpenSpan | None) -> None:
    with _correlated(spans.carried(opened, _origin_of_job())):
        job.run(ObjectId(item_id))
        _log(job=job.name, item_id=item_id)


def _log(**fields: object) -> None:
    """Log a job that has finished, with what it has spent, and for how long it has waited in its queue."""
    waited = _waited_seconds()
    waiting = {} if waited is None else {"queue_ms": round(waited * 1000, 1)}
    log.info(
        "job", duration_ms=round((time.perf_counter() - SPENT.started) * 1000, 2), **fields, **waiting, **SPENT.fields()
    )


def _queue() -> str:
    running = get_current_job()
    return running.origin if running else "none"


def _call_listener(name: str, event_id: str, opened: spans.OpenSpan | None) -> None:
    """Call the listener `name` with the event, and remove the listener from the event's pending list.

    Raises what the listener raises: the job fails, the event stays pending and the relay dispatches it again.
    """
    known, event = listener(name), Event.objects(id=ObjectId(event_id)).first()
    if known is None or event is None or name not in event.pending:
        return
    with _correlated(spans.carried(opened, event.correlation)):
        known.handle(event)
        acknowledge(event.id, name)
        _log(listener=name, event_id=event_id, kind=event.kind)
