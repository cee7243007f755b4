"""Counts what a request costs: MongoDB commands by the driver's own listener, store round trips at the socket."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymongo.monitoring
import redis.connection
from pymongo.monitoring import CommandListener, CommandStartedEvent

from taskmanager.core.servers import scripts

# What is sent besides reads and writes; the plan of a slow query only when the machine was too busy for a quick answer.
_QUIET = {"hello", "ping", "endSessions", "explain"}


class Commands(CommandListener):
    """Remembers the name and the body of every command while `counting`."""

    def __init__(self) -> None:
        self.seen: list[CommandStartedEvent] | None = None

    def started(self, event: CommandStartedEvent) -> None:
        if self.seen is not None and event.command_name not in _QUIET:
            self.seen.append(event)

    def succeeded(self, event: Any) -> None:
        pass

    def failed(self, event: Any) -> None:
        pass

    @property
    def are_counted(self) -> bool:
        """Whether commands are counted at present."""
        return self.seen is not None

    @contextmanager
    def counting(self) -> Iterator[list[CommandStartedEvent]]:
        """The commands that are sent inside."""
        self.seen = seen = []
        try:
            yield seen
        finally:
            self.seen = None


# Registered for all clients that are made from now on; it must be there before the application connects.
commands = Commands()
pymongo.monitoring.register(commands)


@contextmanager
def store_trips() -> Iterator[list[int]]:
    """What is sent to the stores inside: one entry per round trip, the number of bytes."""
    trips: list[int] = []
    original, original_of_scripts = redis.connection.Connection.send_packed_command, scripts._text

    def send(self: Any, command: Any, check_health: bool = True) -> None:
        trips.append(sum(map(len, command if isinstance(command, list) else [command])))
        original(self, command, check_health)

    def send_script(sock: socket.socket, command: bytes) -> bytes | None:
        trips.append(len(command))
        return original_of_scripts(sock, command)

    redis.connection.Connection.send_packed_command = send  # type: ignore[method-assign]
    scripts._text = send_script
    try:
        yield trips
    finally:
        redis.connection.Connection.send_packed_command = original  # type: ignore[method-assign]
        scripts._text = original_of_scripts
