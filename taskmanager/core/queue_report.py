"""What operators ask of the queues: how many jobs wait, for how long, what failed, and how many are done."""

from datetime import datetime, timedelta
from typing import Any

from taskmanager.core.clock import now
from taskmanager.core.events import QUEUES
from taskmanager.core.outbox import queue
from taskmanager.core.stores import queue_store

_TOTALS = "tm:jobs:total"
_MINUTE_KEPT_SECONDS = 600


_WAIT_SECONDS = 0.5  # of who asks: a scrape, or an operator


def count(queue_name: str, outcome: str) -> None:
    """Note that a job of a queue is "done" or has "failed". Raises RedisError."""
    minute = _minute(now())
    with queue_store().pipeline(transaction=False) as pipeline:
        pipeline.hincrby(_TOTALS, f"{queue_name}:{outcome}", 1)
        pipeline.hincrby(minute, outcome, 1)
        pipeline.expire(minute, _MINUTE_KEPT_SECONDS)
        pipeline.execute()


def report() -> dict[str, dict[str, Any]]:
    """Of each queue: `waiting`, `oldest_s` (how long the first has waited), `running`, `failed`. Raises RedisError."""
    return {name: _of(name) for name in QUEUES}


def totals() -> dict[tuple[str, str], int]:
    """{(queue, outcome): how many jobs since the store was made or emptied}. Raises RedisError."""
    found = _hash(_TOTALS)
    return {tuple(key.decode().split(":", 1)): int(value) for key, value in found.items()}  # type: ignore[misc]


def last_minute() -> dict[str, int]:
    """How many jobs were `done` and `failed` in the last whole minute. Raises RedisError."""
    found = _hash(_minute(now() - timedelta(minutes=1)))
    return {outcome: int(found.get(outcome.encode(), 0)) for outcome in ("done", "failed")}


def _hash(key: str) -> dict[bytes, bytes]:
    store: Any = queue_store(_WAIT_SECONDS)
    found: dict[bytes, bytes] = store.hgetall(key)
    return found


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
    """0 for what is no job of ours."""
    try:
        moment = datetime.fromisoformat(since.decode()) if since else now()
        return round(max(0.0, (now() - moment).total_seconds()), 1)
    except (ValueError, TypeError):
        return 0.0


def _minute(moment: datetime) -> str:
    return f"tm:jobs:{moment:%Y%m%d%H%M}"
