"""The open streams of a process, and the watcher that wakes those that new events concern."""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import structlog
from bson import ObjectId
from pymongo.errors import PyMongoError

from taskmanager.core.configuration import settings as core_settings
from taskmanager.core.errors import TaskManagerError, TooMany, Unavailable
from taskmanager.core.security import access
from taskmanager.core.security.access import Visitor
from taskmanager.core.security.networks import network_of
from taskmanager.features.sync import window
from taskmanager.features.sync.live import StreamListener
from taskmanager.features.sync.window import EventWindow

log = structlog.get_logger("taskmanager.stream")

# By the parameter of the client: a comment, or an event, which an EventSource shows to its page.
HEARTBEATS = {"": b": heartbeat\n\n", "event": b"event: heartbeat\ndata: {}\n\n"}

RETRY_SECONDS = 1.0  # after a failure of the database
_LOOK_SECONDS = 0.1  # between two looks at the head of the log
_MAX_OF_CALLER = 20


class StreamConnection:
    """One open stream."""

    def __init__(self, listener: StreamListener, address: str = "") -> None:
        self.listener, self.wake = listener, asyncio.Event()
        self.account_id, self.topics = listener.actor.account_id, listener.topics()
        self.heartbeat = HEARTBEATS[""]
        self.is_visit = isinstance(listener.actor, Visitor)
        self.counted_as = listener.actor.identity + (f":{network_of(address)}" if self.is_visit else "")


class Hub:
    """The open streams of this process."""

    def __init__(self) -> None:
        self.connections: set[StreamConnection] = set()
        self.window: EventWindow | None = None
        self._of_caller: Counter[str] = Counter()
        self._visits = 0

    def add(self, listener: StreamListener, address: str = "") -> StreamConnection:
        """Add a connection. Raises TooMany for too many of one caller, Unavailable for too many at all.

        A caller is an account, or the visitors of a link from one network. Visitors have at most half of the places, so
        that a link that many know does not lock out the accounts.
        """
        connection, places = StreamConnection(listener, address), core_settings.current().stream_connections
        if self._of_caller[connection.counted_as] >= _MAX_OF_CALLER:
            raise TooMany("Too many streams are open.", retry_after=5, code="stream.too_many")
        if len(self.connections) >= places or (connection.is_visit and self._visits >= max(1, places // 2)):
            raise Unavailable("Too many streams are open: try again shortly.", code="stream.busy")
        self._count(connection, 1)
        self.connections.add(connection)
        return connection

    def remove(self, connection: StreamConnection) -> None:
        """Remove a connection that has ended."""
        self.connections.discard(connection)
        self._count(connection, -1)

    def _count(self, connection: StreamConnection, number: int) -> None:
        self._visits += number * connection.is_visit
        self._of_caller[connection.counted_as] += number
        if not self._of_caller[connection.counted_as]:
            del self._of_caller[connection.counted_as]

    async def watch(self, beat: Callable[[], None]) -> None:
        """Wake the connections that new events concern, until cancelled."""
        while True:
            beat()
            try:
                await self._look()
            except (PyMongoError, TaskManagerError) as error:
                log.warning("the log cannot be read", error=type(error).__name__)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:  # without this loop all streams would stand still
                log.exception("the log was not read")
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _look(self) -> None:
        """Read the events behind the window, once for all connections, and wake those that they concern."""
        before = self.window
        self.window = await asyncio.to_thread(window.advanced, before)
        if before is not None and self.window.head > before.head:
            await self._wake(self.window.topics_behind(before.head))

    async def _wake(self, topics: set[str] | None) -> None:
        """Wake the connections of some topics, of all with None; the versions of their rights are read together."""
        woken = [one for one in self.connections if topics is None or not one.topics.isdisjoint(topics)]
        accounts = {one.account_id for one in woken if one.account_id}
        versions: dict[ObjectId, int] = {}
        if len(woken) > 1:
            with suppress(PyMongoError, TaskManagerError):  # each asks by itself then, and is told of the outage
                versions = await asyncio.to_thread(access.present_versions, list(accounts))
        for connection in woken:
            if connection.account_id:
                connection.listener.know(versions.get(connection.account_id))
            connection.wake.set()
