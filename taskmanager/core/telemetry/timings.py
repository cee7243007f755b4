"""What a request or a job has spent on database and stores: added up for its thread, and counted in the metrics."""

import threading
import time
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any

import structlog

from taskmanager.core.clock import iso, now
from taskmanager.core.configuration import settings
from taskmanager.core.telemetry import instruments, plans, spans

log = structlog.get_logger("taskmanager.database")

# The commands that get a value of the label each; a name that a plugin sends is none of them.
_COMMANDS = frozenset((
    "find", "getMore", "insert", "update", "delete", "findAndModify", "aggregate", "count", "distinct", "ping", "hello",
    "commitTransaction", "abortTransaction", "getParameter", "collStats", "dbStats", "explain", "createIndexes",
))  # fmt: skip
_REPORTED = _COMMANDS - {"explain"}
_SLOW_LOG_SECONDS = 1.0
_QUERIES = ("filter", "query", "q", "pipeline", "updates", "deletes")  # where commands have what they look for


SLOW: deque[dict[str, Any]] = deque(maxlen=50)  # the latest slow queries of this process, for the page of operators


class Spent(threading.local):
    """The milliseconds and the number of commands of this thread since `begin`."""

    started = 0.0  # of the monotonic clock of `time.perf_counter`

    database_ms = store_ms = 0.0
    queue_ms = 0.0  # for which the request has waited for a thread; the web server sets it before `begin`
    commands = trips = 0
    command: Mapping[str, Any] = MappingProxyType({})  # the last one that was sent

    def begin(self) -> None:
        """Start at zero."""
        self.started = time.perf_counter()
        self.database_ms = self.store_ms = 0.0
        self.commands = self.trips = 0

    def fields(self) -> Mapping[str, float]:
        """Return the sums as fields of a log line; those that are zero are left out."""
        found = {
            "queue_ms": round(self.queue_ms, 2),
            "database_ms": round(self.database_ms, 2),
            "database_commands": self.commands,
            "cache_ms": round(self.store_ms, 2),
            "cache_trips": self.trips,
        }
        return {name: value for name, value in found.items() if value}


SPENT = Spent()


def count_command(name: str, seconds: float, database: str, *, failed: bool = False) -> None:
    """Count a command of MongoDB, which `SPENT.command` is. The driver calls this in the thread that has sent it."""
    label = name if name in _COMMANDS else instruments.OTHER
    if failed:
        instruments.COMMAND_FAILURES.labels(label).inc()
    if (tracer := spans.active.tracer) and tracer.records():
        _trace(tracer, label, seconds, failed=failed)
    SPENT.database_ms += seconds * 1000
    SPENT.commands += 1
    instruments.observe(instruments.COMMAND_SECONDS, seconds, label)
    chosen = settings.effective()
    if chosen and seconds * 1000 >= chosen.slow_query_ms and name in _REPORTED:
        _log_slow(name, database, seconds)


class _SlowLog:
    """When the next slow command is logged: a database that is slow for all does not fill the log."""

    next_at = 0.0


class timed_trip:
    """A context that times a round trip to a store; with an exception it counts as failed."""

    __slots__ = ("_started", "_store")

    def __init__(self, store: str) -> None:
        self._store = store

    def __enter__(self) -> None:
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        seconds = time.perf_counter() - self._started
        SPENT.store_ms += seconds * 1000
        SPENT.trips += 1
        instruments.observe(instruments.STORE_SECONDS, seconds, self._store)
        if (tracer := spans.active.tracer) and tracer.records():
            fields = {"db.system.name": "redis", "db.namespace": self._store}
            tracer.trip(f"{self._store} trip", seconds, fields, failed=error is not None)
        if error is not None:
            instruments.STORE_FAILURES.labels(self._store).inc()


def _trace(tracer: spans.Tracer, name: str, seconds: float, *, failed: bool) -> None:
    """Add the span of a command: its name and its collection, and nothing of what it looks for."""
    collection = SPENT.command.get("collection" if name == "getMore" else name)
    fields = {"db.system.name": "mongodb", "db.operation.name": name}
    if isinstance(collection, str):
        fields["db.collection.name"] = collection
    tracer.trip(f"{name} {collection}" if isinstance(collection, str) else name, seconds, fields, failed=failed)


def _log_slow(name: str, database: str, seconds: float) -> None:
    """Log a slow command: its collection, the fields of its filter, its order and its plan, and none of its values."""
    if time.monotonic() < _SlowLog.next_at:
        return
    _SlowLog.next_at = time.monotonic() + _SLOW_LOG_SECONDS
    command = SPENT.command
    fields = {
        "command": name,
        "collection": str(command.get(name, "")),
        "duration_ms": round(seconds * 1000, 3),
        "shape": shape(_query_of(command)),
        "order": list(command.get("sort") or ()),
    }
    SLOW.append(fields | {"at": iso(now())})
    log.warning("slow query", **fields)
    known = {name: fields[name] for name in ("command", "collection", "shape")}
    plans.explain(name, database, command, lambda plan: log.warning("plan of a slow query", plan=plan, **known))


def _query_of(command: Mapping[str, Any]) -> Any:
    """Return what a command looks for: its filter, its pipeline, or the filters of its first writes."""
    found: Any = next((command[member] for member in _QUERIES if command.get(member)), {})
    return [write["q"] for write in found] if isinstance(found, list) and found and "q" in found[0] else found


def shape(query: Any) -> Any:
    """Return the fields and operators of a filter, with `?` in the place of each value."""
    if isinstance(query, Mapping):
        return {str(name): shape(value) for name, value in query.items()}
    if isinstance(query, list):
        return [shape(one) for one in query[:3] if isinstance(one, Mapping)] or "?"
    return "?"
