"""The two Redis or Valkey stores: a queue that never evicts, and a cache that may lose any entry.

Only this module makes clients, because redis-py's defaults wait for seconds on a store that is down and
without bound on one that hangs. A request never waits for a store more than `redis_timeout_ms`.
"""

import time
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from taskmanager.core.configuration import settings

_REST_SECONDS = 1.0


def options(seconds: float) -> dict[str, Any]:
    """Return client options that bound every wait to `seconds` and never repeat a command."""
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }


@cache
def _client(url: str, seconds: float) -> redis.Redis:
    return redis.Redis.from_url(url, **options(seconds))


def cache_store() -> redis.Redis:
    """Return the cache, with the short waits of a request."""
    chosen = settings.current()
    return _client(chosen.cache_url, chosen.redis_timeout_ms / 1000)


def queue_store(seconds: float = 5.0) -> redis.Redis:
    """Return the queue, with the longer waits of a worker or of the relay."""
    return _client(settings.current().queue_url, seconds)


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

__all__ = ["OutageBackoff", "RedisError", "cache_outage", "cache_store", "options", "queue_store"]
