"""Checks whether the servers fit the needs of the service, and the schema of the database fits this release.

Some problems are temporary: a server that is away, a replica set that elects its primary. The others are final: only a
change of a setting, of the server or of the release ends them. No sentence contains a part of a URL.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from hashlib import sha1
from typing import Any, Literal, NamedTuple

import pymongo
import redis
from pymongo.errors import ConfigurationError, OperationFailure, PyMongoError
from redis import exceptions as refusals

from taskmanager.core.configuration import settings
from taskmanager.core.servers import stores
from taskmanager.core.storage import database

Check = Literal["database", "migrations", "queue", "cache"]

_AUTHENTICATION_FAILED, _UNAUTHORIZED = (18, 8000), 13  # MongoDB's codes; 8000 is Atlas's
_MIN_WIRE_VERSION = 13  # MongoDB 5.0: writes are acknowledged by the majority by default
_FRESH_SECONDS = 5.0  # how long the result of a check of the stores is reused


class ServerProblem(NamedTuple):
    """A problem of a server, with a sentence that says what to do."""

    check: Check
    sentence: str
    final: bool


State = Callable[[Any], str | None]
_migrations: State | None = None


def compare_migrations(state: State) -> None:
    """Set the function that returns what is wrong with the migrations of the database, or None.

    The composition root sets it, because the package does not import the migrations.
    """
    global _migrations
    _migrations = state


def problems() -> list[ServerProblem]:
    """Return all problems of the database, its migrations, and both stores."""
    return [*database_problems(seconds=2.0), *store_problems()]


def database_problems(seconds: float) -> list[ServerProblem]:
    """Return the first problem of the database or its migrations, if any; waits for `seconds` at most."""
    try:
        with pymongo.timeout(seconds):
            hello = database.client().admin.command("hello")
            wrong = _wrong_server(hello)
            state = _migrations(database.database()) if _migrations and not wrong else None
    except PyMongoError as error:
        return [_refusal(error) or _absence()]
    if wrong:
        return [_final("database", wrong)]
    return [_final("migrations", state)] if state else []


def _wrong_server(hello: Mapping[str, Any]) -> str | None:
    if not hello.get("setName") and hello.get("msg") != "isdbgrid":
        return _STANDALONE
    if hello.get("maxWireVersion", 0) < _MIN_WIRE_VERSION:
        return _TOO_OLD
    return None


_STANDALONE = (
    "TASKMANAGER_MONGODB_URI leads to a standalone server, which has no transactions: start mongod with --replSet, run"
    " rs.initiate() once, and name the set in the URI (replicaSet=…)."
)
_TOO_OLD = "The database server is older than MongoDB 5.0, whose majority acknowledges writes by default: upgrade it."


def _refusal(error: PyMongoError) -> ServerProblem | None:
    code = error.code if isinstance(error, OperationFailure) else None
    if code in _AUTHENTICATION_FAILED:
        return _final("database", "The database refuses the user or the password of TASKMANAGER_MONGODB_URI.")
    if code == _UNAUTHORIZED:
        return _final("database", "The user of TASKMANAGER_MONGODB_URI may not use this database: grant readWrite.")
    if isinstance(error, ConfigurationError):
        return _final(
            "database", _TOO_OLD if "wire version" in str(error) else "TASKMANAGER_MONGODB_URI is not usable."
        )
    return None


def _absence() -> ServerProblem:
    """Return why no server accepts writes, by the driver's descriptions of the servers."""
    topology = database.client().topology_description
    kinds = {found.server_type_name for found in topology.server_descriptions().values()}
    if not kinds:  # the driver removes servers that reply and are not members of the set
        return _final(
            "database",
            "TASKMANAGER_MONGODB_URI leads to no member of the replica set that it names (replicaSet=…): the server is"
            " standalone, or a member of another set. Start mongod with --replSet and run rs.initiate(), or correct the"
            " name.",
        )
    return ServerProblem("database", _ABSENCES[_cause(kinds)], final=False)


def _cause(kinds: set[str]) -> str:
    if kinds & {"RSSecondary", "RSOther", "RSArbiter", "RSPrimary"}:
        return "no primary"
    return "not initiated" if "RSGhost" in kinds else "away"


_ABSENCES = {
    "no primary": "The replica set has no primary: nothing is written until a majority of its members is available.",
    "not initiated": "The database server is in no replica set yet: run rs.initiate() there once.",
    "away": "The database does not respond: check whether it runs, and TASKMANAGER_MONGODB_URI.",
}


def store_problems(seconds: float = 1.0) -> list[ServerProblem]:
    """Return the problems of queue and cache; waits for `seconds` at most for each."""
    chosen = settings.current()
    urls: dict[Literal["queue", "cache"], str] = {"queue": chosen.queue_url, "cache": chosen.cache_url}
    found = [_store_problem(name, url, seconds) for name, url in urls.items()]
    return [problem for problem in found if problem]


class _RecentStoreProblems:
    """Returns `store_problems`, at most five seconds old: for callers that check often."""

    def __init__(self) -> None:
        self._urls, self._until = ("", ""), 0.0
        self._found: list[ServerProblem] = []

    def __call__(self) -> list[ServerProblem]:
        chosen = settings.current()
        urls = (chosen.queue_url, chosen.cache_url)
        if self._urls != urls or time.monotonic() >= self._until:
            self._found = store_problems(chosen.redis_timeout_ms / 1000)
            self._urls, self._until = urls, time.monotonic() + _FRESH_SECONDS
        return self._found


recent_store_problems = _RecentStoreProblems()


def _store_problem(name: Literal["queue", "cache"], url: str, seconds: float) -> ServerProblem | None:
    """Run each command that the service needs, on keys that expire, and check the replies."""
    try:
        with stores.client(name, url, seconds) as client:
            for reply in _replies(client, name):
                if isinstance(reply, refusals.RedisError):
                    return _store_refusal(name, reply)
    except refusals.RedisError as error:
        return _store_refusal(name, error)
    return None


def _replies(client: redis.Redis, name: Literal["queue", "cache"]) -> list[object]:
    prefix = {"queue": "rq:", "cache": "tm:"}[name]
    slot = secrets.token_hex(8)  # braces: all keys are in one slot of a cluster
    keys = {kind: f"{prefix}probe:{{{slot}}}:{kind}" for kind in ("text", "hash", "set", "sorted", "list")}
    commands = [[word.format(prefix=prefix, **keys) for word in line.split()] for line in _COMMANDS[name]]
    if stores.is_clustered(client):
        return [_reply(client, words) for words in commands]
    pipeline = client.pipeline(transaction=False)
    for words in commands:
        pipeline.execute_command(*words)
    replies: list[object] = pipeline.execute(raise_on_error=False)
    if name == "queue":
        transaction: Any = client.pipeline(transaction=True).ping()
        replies.append(transaction.execute())
        with client.pubsub() as listener:
            listener.subscribe(f"{prefix}probe")
            listener.get_message(timeout=1)
    return replies


def _reply(client: redis.Redis, words: list[str]) -> object:
    """Return the reply of a cluster to a command; its refusal instead of raising it. Raises ConnectionError."""
    try:
        if words[:2] == ["SCRIPT", "LOAD"]:  # to every node
            return client.script_load(words[2])
        return client.execute_command(*words)
    except refusals.ResponseError as refusal:
        return refusal


def _store_refusal(name: Literal["queue", "cache"], error: Exception) -> ServerProblem:
    """Return the problem behind an error. Credentials come first, because redis-py counts them as connection errors."""
    variable = f"TASKMANAGER_{name.upper()}_URL"
    text = str(error).lower()
    if isinstance(error, refusals.AuthenticationError) or "wrongpass" in text or "noauth" in text:
        return _final(name, f"The {name} store refuses the user or the password of {variable}.")
    if isinstance(error, refusals.ConnectionError | refusals.TimeoutError):
        return ServerProblem(
            name, f"The {name} store does not respond: check whether it runs, and {variable}.", final=False
        )
    if isinstance(error, refusals.NoPermissionError):
        return _final(name, f"The user of {variable} may not run a command that is needed: see docs/operations.md.")
    if "unknown command" in text or "unknown subcommand" in text or "wrong number of arguments" in text:
        return _final(name, f"The {name} store lacks a command that is needed: Redis 6.2, Valkey 7.2 or newer is.")
    if text.startswith(("moved", "crossslot", "clusterdown")) or isinstance(error, refusals.MovedError):
        return _final(name, _CLUSTERED[name])
    return ServerProblem(name, f"The {name} store takes no writes now: it is a replica, or is full.", final=False)


_CLUSTERED = {
    "queue": "TASKMANAGER_QUEUE_URL leads to a cluster: the queue is one store, or a group behind Sentinels.",
    "cache": "TASKMANAGER_CACHE_URL leads to a cluster: begin it with redis+cluster:// or rediss+cluster://.",
}
_SCRIPT_ID = sha1(b"return{1}").hexdigest()  # noqa: S324 Redis identifies scripts by SHA-1
_SCRIPTING = ("EVAL return{{1}} 0", "SCRIPT LOAD return{{1}}", f"EVALSHA {_SCRIPT_ID} 0")
_COMMANDS = {
    "queue": (
        *("PING", "SET {text} 1 NX EX 5", "GET {text}", "EXISTS {text}", "PERSIST {text}", "EXPIRE {text} 5"),
        *("HSET {hash} a 1", "HGET {hash} a", "HGETALL {hash}", "HINCRBY {hash} a 1", "HINCRBYFLOAT {hash} a 1.5"),
        *("SADD {set} a", "SISMEMBER {set} a", "SMEMBERS {set}", "SREM {set} a"),
        *("ZADD {sorted} 1 a", "ZRANGE {sorted} 0 -1", "ZRANGEBYSCORE {sorted} 0 +inf", "ZCOUNT {sorted} 0 +inf"),
        *("ZCARD {sorted}", "ZREM {sorted} a", "ZREMRANGEBYSCORE {sorted} 0 1"),
        *(
            "RPUSH {list} a",
            "LPUSH {list} a",
            "LLEN {list}",
            "LINDEX {list} 0",
            "LRANGE {list} 0 -1",
            "LREM {list} 1 a",
        ),
        *("BLPOP {list} 1", "XADD {list} * a 1", "INFO server", "WATCH {text}", "UNWATCH", *_SCRIPTING),
        *("PUBLISH {prefix}probe 1", "DEL {text} {hash} {set} {sorted} {list}"),
    ),
    "cache": (
        *("PING", "SET {text} 1 EX 5", "GET {text}", "MGET {text} {hash}", "EXISTS {text}", "INCRBY {text} 1"),
        *("SETEX {text} 5 1", "EXPIRE {text} 5", "PTTL {text}", *_SCRIPTING, "DEL {text}"),
    ),
}


def _final(check: Check, sentence: str) -> ServerProblem:
    return ServerProblem(check, sentence, final=True)
