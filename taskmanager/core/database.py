"""The connection to MongoDB: one client per process, bounded waits, and a breaker for a server that is gone.

`timeoutMS` bounds each operation, also on a server that hangs; without the breaker every request of an
outage would still hold a thread for that long.
"""

import threading
import time
from typing import Any

import mongoengine
import pymongo
from mongoengine.connection import get_connection, get_db
from pymongo.errors import (
    AutoReconnect,
    ConnectionFailure,
    ExecutionTimeout,
    PyMongoError,
    WaitQueueTimeoutError,
)
from pymongo.uri_parser import parse_uri

from taskmanager.core.errors import Misconfigured, Unavailable
from taskmanager.core.settings import Settings

# One alias per group of features that can be deployed as a service of its own. All live in one MongoDB
# deployment, because a write and its event are one transaction; each may be given its own database there.
ALIASES = ("default", "users", "tasks", "notifications")

_PROBE_EVERY_SECONDS = 0.5
_LOST = (AutoReconnect, ConnectionFailure, ExecutionTimeout, WaitQueueTimeoutError)


def connect(settings: Settings) -> None:
    """Register the connection under every alias. Raises Misconfigured.

    The client opens at its first use, so this may be called before a fork.
    """
    _check_uri(settings.mongodb_uri)
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


def _check_uri(uri: str) -> None:
    """Raise Misconfigured for a URI that would break transactions.

    MongoEngine hands the client's write concern on with each write, which MongoDB refuses inside a
    transaction. None is needed: a replica set acknowledges writes by its majority by default (MongoDB 5.0),
    and a transaction commits with "majority" (`unit_of_work`).
    """
    try:
        options = parse_uri(uri, validate=True)["options"]
    except (PyMongoError, ValueError) as error:
        raise Misconfigured(f"TASKMANAGER_MONGODB_URI cannot be read: {type(error).__name__}") from None
    if "w" in options:
        raise Misconfigured("TASKMANAGER_MONGODB_URI must not set 'w': writes are acknowledged by the majority anyway")


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
        "connect": False,
        "appname": parse_uri(settings.mongodb_uri)["options"].get("appname", "taskmanager"),
    }


class Breaker:
    """Answers at once while the database is known to be gone, and asks it again twice a second.

    Only one caller at a time pays for the question; the others get `Unavailable` without waiting.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = False
        self._probe_at = 0.0

    def trip(self, error: PyMongoError) -> None:
        """Open, when `error` says that the server was not reached in time."""
        if isinstance(error, _LOST) or error.timeout:
            with self._lock:
                self._open, self._probe_at = True, time.monotonic() + _PROBE_EVERY_SECONDS

    def close(self) -> None:
        self._open = False

    def check(self) -> None:
        """Raise Unavailable while open, except for the one caller whose probe succeeds."""
        if not self._open:
            return
        with self._lock:
            if time.monotonic() < self._probe_at:
                raise Unavailable("The database is not available. Try again shortly.", code="database.unavailable")
            self._probe_at = time.monotonic() + 2 * _PROBE_EVERY_SECONDS
        if not ping(_PROBE_EVERY_SECONDS):
            raise Unavailable("The database is not available. Try again shortly.", code="database.unavailable")
        self.close()


breaker = Breaker()


def ping(seconds: float = 0.5) -> bool:
    """Whether the primary answers within `seconds`."""
    try:
        with pymongo.timeout(seconds):
            client().admin.command("ping")
    except PyMongoError:
        return False
    return True
