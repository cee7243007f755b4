"""The clients of stores: commands are timed, waits are bounded, and nothing is repeated."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.exceptions import (
    AuthenticationError,
    ConnectionError as StoreUnreachable,
    RedisClusterException,
    RedisError,
)
from redis.retry import Retry

from taskmanager.core.configuration.connection_urls import StoreAddress
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


def connection_options(given: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a parsed URL that are common to all servers of a store: user, password, TLS."""
    common = {name: value for name, value in given.items() if name not in ("host", "port", "db", "connection_class")}
    return common | ({"ssl": True} if given.get("connection_class") is SSLConnection else {})


def sentinel_options(address: StoreAddress, common: dict[str, Any]) -> dict[str, Any]:
    """Return the options for the Sentinels of a store: those of its servers, mostly without user and password."""
    credentials = ("username", "password")
    return {name: value for name, value in common.items() if address.sentinel_auth or name not in credentials}


def sentinel_of_rq(address: StoreAddress, seconds: float) -> dict[str, Any]:
    """Return the setting `SENTINEL` of RQ's own commands, which bounds what is asked of the Sentinels."""
    given = parse_url(address.url)
    common = connection_options(given)
    return {
        "INSTANCES": address.hosts,
        "MASTER_NAME": address.service,
        "DB": given.get("db", 0),
        "CONNECTION_KWARGS": common,
        "SENTINEL_KWARGS": sentinel_options(address, common | options(seconds)),
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


@contextmanager
def _as_redis_error() -> Iterator[None]:
    """Raise what redis-py raises about a cluster, which is no RedisError, as one."""
    try:
        yield
    except RedisClusterException as error:
        refused = isinstance(error.__cause__, AuthenticationError)
        raise (AuthenticationError if refused else StoreUnreachable)(str(error)) from error


class NodeSearch:
    """Asking for the nodes of a cluster: one thread at a time asks them all, and for a second after a failure none.

    The others wait as long as for one server, and fail then: redis-py would have them ask one after the other.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.RLock()
        self._rest_until = 0.0

    def run(self, search: Callable[..., None], *args: Any, **options: Any) -> None:
        """Call `search`. Raises ConnectionError when it has failed a moment ago, or another thread is at it."""
        if not self._lock.acquire(timeout=self._seconds):
            raise StoreUnreachable("no node of the cluster has responded yet")
        try:
            if time.monotonic() < self._rest_until:
                raise StoreUnreachable("no node of the cluster has responded")
            self._try(lambda: search(*args, **options))
        finally:
            self._lock.release()

    def _try(self, search: Callable[[], None]) -> None:
        try:
            with _as_redis_error():
                search()
        except RedisError:
            self._rest_until = time.monotonic() + _REST_SECONDS
            raise


class TimedCluster(RedisCluster):
    """A client of a cluster, timed as a `TimedClient` is. It asks for the nodes at its first command."""

    store = ""

    def __init__(self, address: StoreAddress, seconds: float) -> None:
        self._address, self._seconds = address, seconds
        self._search = NodeSearch(seconds)
        self._connecting = self._connected = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with nullcontext() if args[0] in _WAITING else timed_trip(self.store), _as_redis_error():
            self._connect()
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Return a pipeline that sends to each node what is its own: no transaction."""
        self._connect()
        made = TimedClusterPipeline(
            nodes_manager=self.nodes_manager,
            commands_parser=self.commands_parser,
            startup_nodes=list(self.nodes_manager.startup_nodes.values()),
            result_callbacks=self.result_callbacks,
            cluster_response_callbacks=self.cluster_response_callbacks,
            retry=self.retry,
        )
        made.store = self.store
        return made

    def mget(self, keys: Any, *args: Any) -> Any:
        """Return the values of keys in any slots."""
        self._connect()
        with _as_redis_error():
            return self.mget_nonatomic(keys, *args)

    def infos(self) -> list[dict[str, Any]]:
        """Return the figures of each primary."""
        found: dict[str, Any] = self.execute_command("INFO", target_nodes=RedisCluster.PRIMARIES)
        return [found] if "used_memory" in found else list(found.values())

    def close(self) -> None:
        if self._connected:
            super().close()

    def _split_command_across_slots(self, command: str, *keys: Any) -> int:
        """Run `delete` and other commands of several keys."""
        self._connect()
        with _as_redis_error():
            return super()._split_command_across_slots(command, *keys)

    def _connect(self) -> None:
        """Ask the nodes for the slots, once. Raises ConnectionError while none responds."""
        if not self._connected:
            self._search.run(self._begin)

    def _begin(self) -> None:
        if self._connected or self._connecting:  # the library asks for the commands while it connects
            return
        self._connecting = True
        try:
            self._find_nodes()
        finally:
            self._connecting = False
        self._connected = True

    def _find_nodes(self) -> None:
        given = options(self._seconds)
        retry = given.pop("retry")
        given |= connection_options(parse_url(self._address.url))
        nodes = [ClusterNode(host, port) for host, port in self._address.hosts]
        super().__init__(startup_nodes=nodes, retry=retry, **given)
        manager: Any = self.nodes_manager
        manager.initialize = partial(self._search.run, manager.initialize)  # the library asks again at each fault


class TimedClusterPipeline(ClusterPipeline):
    """A pipeline of a cluster whose round trips are timed."""

    store = ""

    def execute(self, raise_on_error: bool = True) -> Any:
        with timed_trip(self.store), _as_redis_error():
            return super().execute(raise_on_error)
