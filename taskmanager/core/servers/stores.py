"""The two Redis or Valkey stores: a queue that never evicts, and a cache that may lose any entry.

Only this module makes clients, because redis-py's defaults wait for seconds on a store that is down and
without bound on one that hangs. A request never waits for a store more than `redis_timeout_ms`.
"""

import time
from functools import cache
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.exceptions import RedisError
from redis.retry import Retry

from taskmanager.core.configuration import settings
from taskmanager.core.telemetry.timings import timed_trip

_REST_SECONDS = 1.0
_WAITING = ("BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH")


def options(seconds: float) -> dict[str, Any]:
    """Return client options that bound every wait to `seconds` and never repeat a command."""
    return {
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
    }


class TimedClient(redis.Redis):
    """A client whose commands and pipelines are timed, but for those that wait for something to happen."""

    store = ""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _WAITING:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        with timed_trip(self.store):
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: Any = None) -> "TimedPipeline":
        made = TimedPipeline(self.connection_pool, self.response_callbacks, transaction, shard_hint)
        made.store = self.store
        return made


class TimedPipeline(Pipeline):
    """A pipeline whose round trip is timed."""

    store = ""

    def execute(self, raise_on_error: bool = True) -> Any:
        with timed_trip(self.store):
            return super().execute(raise_on_error)


@cache
def _client(store: str, url: str, seconds: float) -> redis.Redis:
    made: Any = TimedClient.from_url(url, **options(seconds))
    made.store = store
    return made


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

__all__ = ["OutageBackoff", "RedisError", "cache_outage", "cache_store", "options", "queue_store"]
