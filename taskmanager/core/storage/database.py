"""The connection to MongoDB: one client per process, bounded waits, and a breaker for a server that is gone.

`timeoutMS` bounds each operation, also on a server that hangs; without the breaker every request of an
outage would still hold a thread for that long.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import mongoengine
import pymongo
from mongoengine.connection import get_connection, get_db
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
    WaitQueueTimeoutError,
)
from pymongo.uri_parser import parse_uri

from taskmanager.core.configuration import connection_urls
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured, Unavailable
from taskmanager.core.servers import heartbeats
from taskmanager.core.storage.expensive import expensive_queries

# One alias per group of features that can be deployed as a service of its own. All live in one MongoDB
# deployment, because a write and its event are one transaction; each may be given its own database there.
ALIASES = ("default", "users", "tasks", "notifications")

_PROBE_EVERY_SECONDS = 0.5
_PROBE_SECONDS = 0.4  # the driver looks for a server in steps of half a second: these end after the first
_PATIENCE_SECONDS = 0.25
_LONGEST_QUEUE_SECONDS = 1.5
_LOST = (AutoReconnect, ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)


def connect(settings: Settings) -> None:
    """Register the connection under every alias. Raises Misconfigured.

    The client opens at its first use, so this may be called before a fork.
    """
    _check_uri(settings.mongodb_uri)
    breaker.seat(settings.web_threads)
    expensive_queries.set_threads(settings.web_threads)
    for alias in ALIASES:
        mongoengine.connect(host=settings.mongodb_uri, alias=alias, **_options(settings))


def disconnect() -> None:
    """Close the connection, for instance before the settings change."""
    mongoengine.disconnect_all()
    breaker.close()


def client() -> pymongo.MongoClient[dict[str, Any]]:
    """The client of this process."""
    return get_connection("default")


def database() -> Any:
    """The database that holds the event log."""
    return get_db("default")


def expiring_collections() -> list[str]:
    """The collections whose documents MongoDB removes when their time is over, by what their indexes say."""
    databases = {found.name: found for found in map(get_db, ALIASES)}.values()
    collections = [found[name] for found in databases for name in found.list_collection_names()]
    return sorted(
        collection.name
        for collection in collections
        if any("expireAfterSeconds" in index for index in collection.index_information().values())
    )


def _check_uri(uri: str) -> None:
    """Raise Misconfigured for a URI that cannot be read, or that chooses how safe reads and writes are.

    No write concern is sent either: PyMongo would send it with each write of a bound session, and MongoDB refuses it
    inside a transaction. A replica set acknowledges writes by its majority by default (MongoDB 5.0; `server_report`
    says when its administrator has changed that), and a transaction commits with "majority" (`unit_of_work`).
    """
    try:
        connection_urls.check_mongodb(uri)
    except ValueError as error:
        raise Misconfigured(f"TASKMANAGER_MONGODB_URI {error}") from None


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "tz_aware": True,
        "uuidRepresentation": "standard",
        "timeoutMS": settings.mongodb_timeout_ms,
        "serverSelectionTimeoutMS": min(1500, settings.mongodb_timeout_ms),
        "connectTimeoutMS": 1000,
        "heartbeatFrequencyMS": 5000,
        "maxPoolSize": settings.mongodb_pool_size,
        "retryWrites": True,
        # The default, "local", shows what a failover may roll back: an answer must not rest on it.
        "readConcernLevel": "majority",
        "connect": False,
        "event_listeners": [heartbeats.CLOCK],
        "appname": parse_uri(settings.mongodb_uri)["options"].get("appname", "taskmanager"),
    }


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Bound a question that may be dear for a reason of its own, such as a search for free text.

    Raises Unavailable (`query.too_slow`) when it takes longer: that says nothing of the database's health.
    """
    try:
        with pymongo.timeout(seconds):
            yield
    except PyMongoError as error:
        if error.timeout:
            raise Unavailable("This takes too long: ask for less.", code="query.too_slow") from error
        raise


class _Place:
    """One of a number of places, held or not."""

    def __init__(self, places: threading.BoundedSemaphore) -> None:
        self._places, self._held = places, False

    def take(self, seconds: float) -> bool:
        self._held = self._places.acquire(timeout=seconds)
        return self._held

    def give_back(self) -> None:
        if self._held:
            self._held = False
            self._places.release()


_placed: ContextVar[_Place | None] = ContextVar("placed", default=None)  # that of this request


class Breaker:
    """Answers at once while the database is known to be gone, and asks it again twice a second.

    Only one caller at a time pays for the question; the others get `Unavailable` without waiting.

    The first requests of an outage do not know of it yet. Fewer of them may wait than there are threads: the
    next one asks whether the database still answers, and what needs no database goes on meanwhile.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(1)
        self._open = False
        self._probe_at = 0.0

    def trip(self, error: PyMongoError) -> None:
        """Open, when `error` says that the server was not reached in time.

        What merely took too long may be one dear request on a server that is well: the next request asks it at once.
        """
        if not (isinstance(error, _LOST) or error.timeout) or _said_by_server(error):
            return
        slow = error.timeout and not isinstance(error, ServerSelectionTimeoutError)
        with self._lock:
            self._open, self._probe_at = True, time.monotonic() + (0 if slow else _PROBE_EVERY_SECONDS)

    def close(self) -> None:
        self._open = False

    def seat(self, threads: int) -> None:
        """Say how many threads serve requests: a quarter of them is kept free of waiting for the database."""
        self._places = threading.BoundedSemaphore(max(1, threads - threads // 4))

    def check(self) -> None:
        """Raise Unavailable while open, except for the one caller whose probe succeeds."""
        if not self._open:
            return
        with self._lock:
            if time.monotonic() < self._probe_at:
                raise _unavailable()
            self._probe_at = time.monotonic() + 2 * _PROBE_EVERY_SECONDS
        if not ping():
            raise _unavailable()
        self.close()

    @contextmanager
    def place(self) -> Iterator[None]:
        """One of the places for requests that may wait for the database. Raises Unavailable."""
        self.check()
        place = _Place(self._places)
        self._take(place)
        token = _placed.set(place)
        try:
            yield
        finally:
            _placed.reset(token)
            place.give_back()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Give the caller's place to others while it waits for something else than the database, or computes.

        Raises Unavailable when there is none to come back to.
        """
        place = _placed.get()
        if place is None:
            yield
            return
        place.give_back()
        try:
            yield
        finally:
            self._take(place)

    def _take(self, place: "_Place") -> None:
        if not place.take(_PATIENCE_SECONDS):
            self._suspect()
            if not place.take(_LONGEST_QUEUE_SECONDS):
                raise _unavailable()

    def _suspect(self) -> None:
        """Open unless the database answers: then the places are taken by honest work."""
        if not client().topology_description.has_writable_server() or not ping():
            with self._lock:
                self._open, self._probe_at = True, time.monotonic() + _PROBE_EVERY_SECONDS
            raise _unavailable()


def _said_by_server(error: PyMongoError) -> bool:
    """Whether the server itself answered that time is up; the driver's own errors have no name of a code."""
    return isinstance(error, OperationFailure) and "codeName" in (error.details or {})


def _unavailable() -> Unavailable:
    return Unavailable("The database is not available. Try again shortly.", code="database.unavailable")


breaker = Breaker()


def ping(seconds: float = _PROBE_SECONDS) -> bool:
    """Whether the primary answers within `seconds`."""
    try:
        with pymongo.timeout(seconds):
            client().admin.command("ping")
    except PyMongoError:
        return False
    return True
