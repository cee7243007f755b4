"""What a request or a job has spent on database and stores: added up for its thread, and counted in the metrics."""

import threading
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from taskmanager.core.telemetry import instruments

# The commands that get a value of the label each; a name that a plugin sends is none of them.
_COMMANDS = frozenset((
    "find", "getMore", "insert", "update", "delete", "findAndModify", "aggregate", "count", "distinct", "ping", "hello",
    "commitTransaction", "abortTransaction", "getParameter", "collStats", "dbStats", "explain", "createIndexes",
))  # fmt: skip


class Spent(threading.local):
    """The milliseconds and the number of commands of this thread since `begin`."""

    database_ms = store_ms = 0.0
    commands = trips = 0

    def begin(self) -> None:
        """Start at zero."""
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
        """Do nothing."""

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
        instruments.COMMAND_SECONDS.labels(_label(event.command_name)).observe(micros / 1e6)


COMMANDS = CommandTimer()


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
        instruments.STORE_SECONDS.labels(self._store).observe(seconds)
        if error is not None:
            instruments.STORE_FAILURES.labels(self._store).inc()


def _label(command: str) -> str:
    return command if command in _COMMANDS else instruments.OTHER
