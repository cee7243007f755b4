"""A report on the queues for operators: how many jobs wait, for how long, how many run, and how many failed."""

from datetime import datetime
from typing import Any, TypedDict

from taskmanager.core.clock import iso, now
from taskmanager.core.events.log import QUEUES, Event
from taskmanager.core.events.outbox import queue
from taskmanager.core.events.outcome_counters import OutcomeCounter
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage.orders import Row

JOBS = OutcomeCounter("jobs", "done", "failed")  # by queue

_WAIT_SECONDS = 0.5  # for a scrape, or an operator


class QueueReport(TypedDict):
    """The jobs of one queue; `oldest_s` is how long the first one has waited, in seconds."""

    waiting: int
    oldest_s: float
    running: int
    failed: int


def report() -> dict[str, QueueReport]:
    """Return {name of a queue: its report}, in two round trips. Raises RedisError."""
    store: Any = queue_store(_WAIT_SECONDS)  # its types say that each reply may be awaitable
    pipeline, moment = store.pipeline(transaction=False), now().timestamp()
    for known in map(queue, QUEUES):
        pipeline.llen(known.key)
        pipeline.zcount(known.started_job_registry.key, moment, "+inf")
        pipeline.zcard(known.failed_job_registry.key)
        pipeline.lindex(known.key, 0)
    found = pipeline.execute()
    rows = zip(QUEUES, found[::4], found[1::4], found[2::4], _ages(store, found[3::4]), strict=True)
    return {
        name: {"waiting": waiting, "oldest_s": age, "running": running, "failed": failed}
        for name, waiting, running, failed, age in rows
    }


def events(*, waiting: bool, limit: int) -> list[Row]:
    """Return the latest events that wait, or that were given up, for operators: values are texts and numbers."""
    name = "due_at" if waiting else "died_at"
    found = Event._get_collection().find({name: {"$exists": True}}).sort(name, -1).limit(limit)
    return [
        {
            "id": str(row["_id"]),
            "at": iso(row["at"]),
            "kind": row["kind"],
            "stream": row["stream"],
            "attempts": row.get("attempts") or 0,
            "pending": row.get("pending") or [],
        }
        for row in found
    ]


def _ages(store: Any, firsts: list[bytes | None]) -> list[float]:
    """Return for how long the first job of each queue has waited; the job is None when there is none."""
    if not any(firsts):
        return [0.0] * len(firsts)
    pipeline = store.pipeline(transaction=False)
    for first in firsts:
        pipeline.hget(b"rq:job:" + (first or b""), "enqueued_at")
    return [_age(since) for since in pipeline.execute()]


def _age(since: bytes | None) -> float:
    """Return the seconds since a moment in ISO 8601; 0 for None, and for what another program has written."""
    try:
        moment = datetime.fromisoformat(since.decode()) if since else now()
        return round(max(0.0, (now() - moment).total_seconds()), 1)
    except (ValueError, TypeError):
        return 0.0
