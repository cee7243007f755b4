"""The clients of stores: commands are timed, waits are bounded, and nothing is repeated."""

import threading
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.cluster import ClusterNode, ClusterPipeline, RedisCluster
from redis.connection import SSLConnection, parse_url
from redis.exceptions import AuthenticationError, ConnectionError as StoreUnreachable, RedisClusterException
from redis.retry import Retry

from taskmanager.core.configuration.connection_urls import StoreAddress
from taskmanager.core.telemetry.timings import timed_trip

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


class TimedCluster(RedisCluster):
    """A client of a cluster, whose commands are timed. It asks for the nodes at its first command."""

    store = ""

    def __init__(self, address: StoreAddress, seconds: float) -> None:
        self._address, self._seconds = address, seconds
        self._lock = threading.RLock()
        self._connecting = self._connected = False

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with timed_trip(self.store):
            self._connect()
            try:
                return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
            except RedisClusterException as error:  # it is no RedisError
                raise StoreUnreachable(str(error)) from error

    def pipeline(self, transaction: Any = None, shard_hint: Any = None) -> ClusterPipeline:
        """Return a pipeline that sends to each node what is its own: no transaction."""
        self._connect()
        return super().pipeline()  # type: ignore[no-untyped-call]

    def mget(self, keys: Any, *args: Any) -> Any:
        """Return the values of keys in any slots."""
        self._connect()
        return self.mget_nonatomic(keys, *args)

    def infos(self) -> list[dict[str, Any]]:
        """Return the figures of each primary."""
        found: dict[str, Any] = self.execute_command("INFO", target_nodes=RedisCluster.PRIMARIES)
        return [found] if "used_memory" in found else list(found.values())

    def close(self) -> None:
        if self._connected:
            super().close()

    def _connect(self) -> None:
        """Ask the nodes for the slots, once. Raises ConnectionError while none responds."""
        if self._connected:
            return
        with self._lock:
            if self._connected or self._connecting:  # the library asks for the commands while it connects
                return
            self._connecting = True
            try:
                self._find_nodes()
            except RedisClusterException as error:
                refused = isinstance(error.__cause__, AuthenticationError)
                raise (AuthenticationError if refused else StoreUnreachable)(str(error)) from error
            finally:
                self._connecting = False
            self._connected = True

    def _find_nodes(self) -> None:
        given = options(self._seconds)
        retry = given.pop("retry")
        given |= connection_options(parse_url(self._address.url))
        nodes = [ClusterNode(host, port) for host, port in self._address.hosts]
        super().__init__(startup_nodes=nodes, retry=retry, **given)
