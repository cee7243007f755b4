"""The connection to MongoDB: one client per process, bounded waits, its circuit breaker and its capacity."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import mongoengine
import pymongo
from mongoengine.connection import ConnectionFailure, get_connection, get_db
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from taskmanager.core.configuration import connection_urls
from taskmanager.core.configuration.settings import Settings, current
from taskmanager.core.errors import Misconfigured, Unavailable
from taskmanager.core.servers import heartbeats
from taskmanager.core.servers.driver import DirectClient
from taskmanager.core.storage.breaker import CircuitBreaker
from taskmanager.core.storage.capacity import Capacity
from taskmanager.core.storage.expensive import expensive_queries
from taskmanager.core.storage.replicas import causality

# One alias per group of features that can be deployed as a service of its own. All are in one MongoDB
# deployment, because a write and its event are one transaction; each alias may have its own database there.
ALIASES = ("default", "users", "tasks", "notifications")

TOO_SLOW = "query.too_slow"  # the code of a query that takes longer than it may
_in_bounded: ContextVar[bool] = ContextVar("in_bounded", default=False)

_PROBE_SECONDS = 0.4  # the driver retries server selection every half second: a probe makes one attempt


def connect(settings: Settings) -> None:
    """Register the connection under every alias. Raises Misconfigured.

    The client connects at its first use, so this may be called before a fork.
    """
    _check_uri(settings.mongodb_uri)
    capacity.set_threads(settings.web_threads)
    expensive_queries.set_threads(settings.web_threads)
    for alias in ALIASES:
        mongoengine.connect(host=settings.mongodb_uri, alias=alias, **_options(settings))


def disconnect() -> None:
    """Close the connection, for example before the settings change."""
    mongoengine.disconnect_all()
    breaker.close()


def client() -> pymongo.MongoClient[dict[str, Any]]:
    """Return the client of this process."""
    return get_connection("default")


def database() -> Database[dict[str, Any]]:
    """Return the database that holds the event log."""
    return get_db("default")


def expiring_collections() -> list[str]:
    """Return the names of the collections with a TTL index, whose documents MongoDB deletes when they expire."""
    databases = {found.name: found for found in map(get_db, ALIASES)}.values()
    collections = [found[name] for found in databases for name in found.list_collection_names()]
    return sorted(
        collection.name
        for collection in collections
        if any("expireAfterSeconds" in index for index in collection.index_information().values())
    )


def _check_uri(uri: str) -> None:
    """Raise Misconfigured for a URI that cannot be parsed, or that sets a read or write guarantee.

    No write concern is set either: PyMongo would send it with each write of a bound session, and MongoDB refuses it
    inside a transaction. A replica set acknowledges writes by its majority by default (since MongoDB 5.0;
    `server_report` warns when its administrator has changed that), and a transaction commits with "majority"
    (`unit_of_work`).
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
        # The default, "local", returns data that a failover may roll back: a response must not depend on it.
        "readConcernLevel": "majority",
        "connect": False,
        "event_listeners": [heartbeats.CLOCK],
        "mongo_client_class": DirectClient,
        "appname": parse_uri(settings.mongodb_uri)["options"].get("appname", "taskmanager"),
    }


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Bound the time of a query that may be expensive, such as a full-text search; see `Settings.time_limit`.

    Raises Unavailable (`query.too_slow`) when it takes longer; the circuit breaker ignores that.
    """
    token = _in_bounded.set(True)
    try:
        with pymongo.timeout(current().time_limit(seconds)):
            yield
    except PyMongoError as error:
        if error.timeout:
            raise Unavailable("This takes too long: ask for less.", code=TOO_SLOW) from error
        raise
    finally:
        _in_bounded.reset(token)


def is_bounded() -> bool:
    """Return whether this is within `bounded`."""
    return _in_bounded.get()


@contextmanager
def causally_consistent() -> Iterator[ClientSession]:
    """Let no read in this block return an older state than the one before it, also after a failover."""
    if present := causality.bound_session():
        yield present
        return
    with client().start_session(causal_consistency=True) as session, session.bind(end_session=False):
        yield session


def pool_sizes() -> tuple[int, int]:
    """Return how many connections this process has to MongoDB, and how many of them are in use; 0 before `connect`.

    The driver's events of its pool, three for each command, would cost each command 4 % of its time.
    """
    try:
        topology = client()._topology
    except ConnectionFailure:
        return 0, 0
    pools = [server.pool for server in list(topology._servers.values())] if topology else []
    used = sum(pool.active_sockets for pool in pools)
    return used + sum(len(pool.conns) for pool in pools), used


def ping() -> bool:
    """Return whether the primary responds within 0.4 seconds, more where an operation may take longer."""
    try:
        with pymongo.timeout(current().time_limit(_PROBE_SECONDS)):
            client().admin.command("ping")
    except PyMongoError:
        return False
    return True


def _is_gone() -> bool:
    return not client().topology_description.has_writable_server()


breaker = CircuitBreaker(ping)
capacity = Capacity(breaker, _is_gone)
