"""The last hour by the minute: what each process has counted, added up in the cache store, which may lose it.

A thread of each process adds what its counters have grown by. Figures of the whole service, such as the jobs that wait,
are read by the first process of a minute.
"""

import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import orjson
from pymongo.errors import PyMongoError

from taskmanager.core.clock import iso, now
from taskmanager.core.errors import Unavailable
from taskmanager.core.events import outbox, queue_report
from taskmanager.core.servers.stores import RedisError, cache_store
from taskmanager.core.telemetry import instruments, timings
from taskmanager.features.notifications.delivery import report as delivery_report, service as deliveries

MINUTES = 60
MAX_SLOW = 50
_SECONDS = 60.0
_KEPT_SECONDS = 4_200
_SLOW_KEPT_SECONDS = 86_400
_SLOW = "tm:slow"
_BUCKET = "le:"

Figures = Mapping[str, float]


def start() -> None:
    """Begin to add what this process counts; call it in each process after its fork."""
    threading.Thread(target=_run, args=(Sampler(),), daemon=True, name="history").start()


def _run(sampler: "Sampler") -> None:
    wait = threading.Event()
    while not wait.wait(_SECONDS):
        sampler.write()


class Sampler:
    """Adds what this process has counted since the last time."""

    def __init__(self) -> None:
        self._before = _counted()

    def write(self) -> None:
        """Add it to the present minute; leave it out while the cache store is away."""
        counted = _counted()
        grown = {name: number - self._before.get(name, 0) for name, number in counted.items()}
        self._before = counted
        with suppress(RedisError):
            if _add(_key(now()), grown):
                _set(_key(now()), _gauges())
            _keep_slow()


def last_hour() -> list[Figures]:
    """Return the figures of each of the last 60 minutes, the oldest first. Raises RedisError."""
    start = now() - timedelta(minutes=MINUTES)
    moments = [start + timedelta(minutes=number) for number in range(MINUTES)]
    pipeline: Any = cache_store().pipeline(transaction=False)
    for moment in moments:
        pipeline.hgetall(_key(moment))
    rows = [{name.decode(): float(value) for name, value in row.items()} for row in pipeline.execute()]
    done = zip(queue_report.JOBS.minutes(moments), deliveries.ATTEMPTS.minutes(moments), strict=True)
    more = [_named("jobs", jobs) | _named("attempts", attempts) for jobs, attempts in done]
    return [{**row, **_latency(row), **counts} for row, counts in zip(rows, more, strict=True)]


def slow_queries() -> list[dict[str, Any]]:
    """Return the slow queries of a day, the newest first: the fields of their log lines. Raises RedisError."""
    store: Any = cache_store()
    return [orjson.loads(row) for row in store.lrange(_SLOW, 0, MAX_SLOW - 1)]


def _named(word: str, counts: Mapping[str, int]) -> dict[str, float]:
    return {f"{word}_{outcome}": float(number) for outcome, number in counts.items()}


def _latency(row: Figures) -> dict[str, float]:
    """Return the seconds within which 99 of 100 requests of a minute were answered, if there were any."""
    bounds = sorted((float(name.removeprefix(_BUCKET)), number) for name, number in row.items() if _BUCKET in name)
    total = bounds[-1][1] if bounds else 0
    found = next((bound for bound, number in bounds if number >= 0.99 * total), 0.0)
    largest = instruments.REQUEST_BOUNDS[-1]
    return {"p99_ms": 1000 * min(found, 2 * largest)} if total else {}


def _counted() -> dict[str, float]:
    found: dict[str, float] = {"requests": 0, "errors": 0}
    for sample in _samples(instruments.REQUESTS):
        if sample.name.endswith("_total"):
            found["requests"] += sample.value
            found["errors"] += sample.value if sample.labels["status"] == "5xx" else 0
    for sample in _samples(instruments.REQUEST_SECONDS):
        if sample.name.endswith("_bucket"):
            name = f"{_BUCKET}{sample.labels['le']}"
            found[name] = found.get(name, 0) + sample.value
    return found


def _samples(metric: Any) -> Iterator[Any]:
    for family in metric.collect():
        yield from family.samples


def _gauges() -> dict[str, float]:
    try:
        waiting = sum(report["waiting"] for report in queue_report.report().values())
        found = delivery_report.report()
        return {
            "waiting": waiting,
            "events_oldest": outbox.oldest_seconds(),
            "pending": found["pending"],
            "dead": found["dead"],
        }
    except (PyMongoError, RedisError, Unavailable):
        return {}


def _add(key: str, grown: Figures) -> bool:
    """Add to the figures of a minute; return whether this was the first process to do so."""
    with cache_store().pipeline(transaction=False) as pipeline:
        pipeline.hsetnx(key, "sampled", "1")
        for name, number in grown.items():
            if number > 0:
                pipeline.hincrbyfloat(key, name, number)
        pipeline.expire(key, _KEPT_SECONDS)
        return bool(pipeline.execute()[0])


def _set(key: str, gauges: Figures) -> None:
    if gauges:
        cache_store().hset(key, mapping=dict(gauges))


def _keep_slow() -> None:
    rows = []
    with suppress(IndexError):
        while True:
            rows.append(timings.SLOW.popleft())
    if rows:
        with cache_store().pipeline(transaction=False) as pipeline:
            pipeline.lpush(_SLOW, *(orjson.dumps(row, default=str) for row in rows))
            pipeline.ltrim(_SLOW, 0, MAX_SLOW - 1)
            pipeline.expire(_SLOW, _SLOW_KEPT_SECONDS)
            pipeline.execute()


def _key(moment: datetime) -> str:
    return f"tm:minute:{iso(moment)[:16]}"
