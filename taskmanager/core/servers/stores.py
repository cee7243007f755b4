"""The two Redis or Valkey stores: a queue that never evicts, and a cache that may lose any entry.

Only this module makes clients, because redis-py's defaults wait for seconds on a store that is down and
without bound on one that hangs. A request never waits for a store more than `redis_timeout_ms`.
"""

import time
from typing import Any

import redis
from redis.connection import parse_url
from redis.exceptions import RedisError
from redis.sentinel import Sentinel

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.connection_urls import StoreAddress, store_address
from taskmanager.core.locking.made_once import made_once
from taskmanager.core.servers.store_clients import (
    TimedClient,
    TimedCluster,
    connection_options,
    options,
    sentinel_options,
)

_REST_SECONDS = 1.0


def client(store: str, url: str, seconds: float) -> redis.Redis:
    """Return a new client of a store, whatever its URL leads to: a server, Sentinels, or a cluster.

    It connects at its first command. With Sentinels each new connection asks them for the primary.
    """
    address = store_address(url)
    if address.kind == "cluster":
        found: Any = TimedCluster(address, seconds)
    elif address.kind == "sentinel":
        found = _behind_sentinels(address, seconds)
    else:
        found = TimedClient.from_url(url, **options(seconds))
    found.store = store
    return found


def _behind_sentinels(address: StoreAddress, seconds: float) -> redis.Redis:
    given = parse_url(address.url)
    database = given.pop("db", 0)
    common = connection_options(given) | options(seconds)
    sentinel = Sentinel(address.hosts, sentinel_kwargs=sentinel_options(address, common), **common)
    return sentinel.master_for(address.service, redis_class=TimedClient, db=database)


@made_once
def _client(store: str, url: str, seconds: float) -> redis.Redis:
    return client(store, url, seconds)


def is_clustered(store: object) -> bool:
    """Return whether a client is that of a cluster, where commands and scripts take keys of one slot."""
    return isinstance(store, TimedCluster)


def infos(store: Any) -> list[dict[str, Any]]:
    """Return the figures (INFO) of a store: of each primary of a cluster."""
    return store.infos() if is_clustered(store) else [store.info()]


def cache_store() -> redis.Redis:
    """Return the cache, with the short waits of a request."""
    chosen = settings.current()
    return _client("cache", chosen.cache_url, chosen.redis_timeout_ms / 1000)


def queue_store(seconds: float = 5.0) -> redis.Redis:
    """Return the queue, with the longer waits of a worker or of the relay."""
    return _client("queue", settings.current().queue_url, seconds)


class OutageBackoff:
    """Skips a store for a second after a failure, so that an outage costs one wait a second and not one a request."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def resting(self) -> bool:
        return time.monotonic() < self._until

    def failed(self) -> None:
        self._until = time.monotonic() + _REST_SECONDS

    def recovered(self) -> None:
        self._until = 0.0


cache_outage = OutageBackoff()

__all__ = ["OutageBackoff", "RedisError", "cache_outage", "cache_store", "client", "options", "queue_store"]
