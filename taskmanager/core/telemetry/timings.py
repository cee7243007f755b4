"""What a request or a job has spent on database and stores: added up for its thread, and counted in the metrics."""

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Any

import structlog
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from taskmanager.core.configuration import settings
from taskmanager.core.telemetry import instruments
from taskmanager.core.telemetry.instruments import labelled

log = structlog.get_logger("taskmanager.database")

# The commands that get a value of the label each; a name that a plugin sends is none of them.
_COMMANDS = frozenset((
    "find", "getMore", "insert", "update", "delete", "findAndModify", "aggregate", "count", "distinct", "ping", "hello",
    "commitTransaction", "abortTransaction", "getParameter", "collStats", "dbStats", "explain", "createIndexes",
))  # fmt: skip


_SLOW_LOG_SECONDS = 1.0
_QUERIES = ("filter", "query", "q", "pipeline", "updates", "deletes")  # where commands have what they look for


class Spent(threading.local):
    """The milliseconds and the number of commands of this thread since `begin`."""

    started = 0.0  # of the monotonic clock of `time.perf_counter`

    database_ms = store_ms = 0.0
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
            "database_ms": round(self.database_ms, 2),
            "database_commands": self.commands,
            "cache_ms": round(self.store_ms, 2),
            "cache_trips": self.trips,
        }
        return {name: value for name, value in found.items() if value}


SPENT = Spent()


class CommandTimer(CommandListener):
    """Times the commands of MongoDB. The driver calls it in the thread that sends them."""

    def started(self, event: CommandStartedEvent) -> None:
        """Keep the command until its end is known."""
        SPENT.command = event.command

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Count a command."""
        self._count(event)

    def failed(self, event: CommandFailedEvent) -> None:
        """Count a command that failed."""
        instruments.COMMAND_FAILURES.labels(_label(event.command_name)).inc()
        self._count(event)

    @staticmethod
    def _count(event: Any) -> None:
        micros = event.duration_micros
        SPENT.database_ms += micros / 1000
        SPENT.commands += 1
        labelled(instruments.COMMAND_SECONDS, _label(event.command_name)).observe(micros / 1e6)
        chosen = settings.effective()
        if chosen and micros >= chosen.slow_query_ms * 1000 and event.command_name in _COMMANDS:
            _log_slow(event.command_name, micros)


COMMANDS = CommandTimer()


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
        labelled(instruments.STORE_SECONDS, self._store).observe(seconds)
        if error is not None:
            instruments.STORE_FAILURES.labels(self._store).inc()


def _log_slow(name: str, micros: int) -> None:
    """Log a slow command: its collection, the fields of its filter and its order, and none of its values."""
    if time.monotonic() < _SlowLog.next_at:
        return
    _SlowLog.next_at = time.monotonic() + _SLOW_LOG_SECONDS
    command = SPENT.command
    query: Any = {}
    for member in _QUERIES:
        query = query or command.get(member)
    log.warning(
        "slow query",
        command=name,
        collection=str(command.get(name, "")),
        duration_ms=micros / 1000,
        shape=shape(query),
        order=list(command.get("sort") or ()),
    )


def shape(query: Any) -> Any:
    """Return the fields and operators of a filter, with `?` in the place of each value."""
    if isinstance(query, Mapping):
        return {str(name): shape(value) for name, value in query.items()}
    if isinstance(query, list):
        return [shape(one) for one in query[:3] if isinstance(one, Mapping)] or "?"
    return "?"


def _label(command: str) -> str:
    return command if command in _COMMANDS else instruments.OTHER
