"""What operators ask of the queues: how many jobs wait, for how long, what failed, and how many are done."""

from datetime import datetime
from typing import Any

from taskmanager.core.clock import now
from taskmanager.core.events.log import QUEUES
from taskmanager.core.events.outbox import queue
from taskmanager.core.events.outcome_counters import OutcomeCounter
from taskmanager.core.servers.stores import queue_store

JOBS = OutcomeCounter("jobs", "done", "failed")  # by queue

_WAIT_SECONDS = 0.5  # of who asks: a scrape, or an operator


def report() -> dict[str, dict[str, Any]]:
    """Return of each queue: `waiting`, `oldest_s` (how long the first has waited), `running`, `failed`. Raises
    RedisError.
    """
    return {name: _of(name) for name in QUEUES}


def _of(name: str) -> dict[str, Any]:
    known = queue(name)
    store: Any = queue_store(_WAIT_SECONDS)  # its types say that each answer may be awaited
    first = store.lindex(known.key, 0)
    since = first and store.hget(b"rq:job:" + first, "enqueued_at")
    return {
        "waiting": store.llen(known.key),
        "oldest_s": _age(since),
        "running": store.zcount(known.started_job_registry.key, now().timestamp(), "+inf"),
        "failed": store.zcard(known.failed_job_registry.key),
    }


def _age(since: bytes | None) -> float:
    """Return 0 for what is no job of ours."""
    try:
        moment = datetime.fromisoformat(since.decode()) if since else now()
        return round(max(0.0, (now() - moment).total_seconds()), 1)
    except (ValueError, TypeError):
        return 0.0
