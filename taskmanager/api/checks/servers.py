"""Checks of the database and the two stores."""

import time
from collections.abc import Iterator
from typing import Any

import pymongo
from pymongo.errors import OperationFailure

from taskmanager.api.checks.measured import HealthCheck, Measured, Status, above
from taskmanager.core.configuration import settings
from taskmanager.core.servers import server_checks, server_report
from taskmanager.core.servers.stores import cache_store, infos, queue_store
from taskmanager.core.storage import database

_SECONDS = 0.9
_EVICTING = {"queue": "noeviction"}


def _primary() -> Iterator[Measured]:
    started = time.perf_counter()
    found = server_checks.database_problems(_SECONDS)
    for problem in found:
        key = "migrations:state" if problem.check == "migrations" else "database:primary"
        yield Measured(key, status="fail", output=problem.sentence)
    if not found:
        yield above("database:primary", (time.perf_counter() - started) * 1000, "ms", warn=500)
        yield Measured("migrations:state", "complete")


def _lag() -> Iterator[Measured]:
    """Measure how far the secondaries are behind; nothing when the user of the database may not ask."""
    try:
        with pymongo.timeout(_SECONDS):
            members = database.client().admin.command("replSetGetStatus")["members"]
    except OperationFailure:
        return
    primary = max((one["optimeDate"] for one in members if one["stateStr"] == "PRIMARY"), default=None)
    for one in members:
        if one["stateStr"] == "SECONDARY" and primary:
            seconds = max(0.0, (primary - one["optimeDate"]).total_seconds())
            yield above("database:lag", seconds, "s", warn=10, fail=60, name=f"member {one['_id']}")
        elif one["health"] != 1 or one["stateStr"] not in ("PRIMARY", "ARBITER"):
            yield Measured("database:lag", None, "", "warn", f"It is {one['stateStr']}.", f"member {one['_id']}")


def _pool() -> Iterator[Measured]:
    _, used = database.pool_sizes()
    share = 100 * used / settings.current().mongodb_pool_size
    yield above("database:pool", share, "percent", warn=80)


def _safety() -> Iterator[Measured]:
    report = server_report.report()
    warnings = " ".join(report["database_warnings"])
    status: Status = "warn" if warnings else "pass"
    yield Measured("database:transaction_lifetime", report["transaction_lifetime_s"], "s", status, warnings)
    ahead = abs(report["clock_ahead_s"] or 0.0)
    yield above("clock:skew", ahead, "s", warn=2, fail=60)


def _disk() -> Iterator[Measured]:
    """Measure the disk of the database; nothing where the server does not tell."""
    with pymongo.timeout(_SECONDS):
        stats = database.database().command("dbStats")
    if stats.get("fsTotalSize"):
        yield above("database:disk", 100 * stats["fsUsedSize"] / stats["fsTotalSize"], "percent", warn=80, fail=95)
    yield Measured("database:size", stats["dataSize"] + stats["indexSize"], "bytes")


def _store(name: str, client: Any) -> Iterator[Measured]:
    started = time.perf_counter()
    found = infos(client)
    yield above(f"{name}:response", (time.perf_counter() - started) * 1000, "ms", warn=100)
    info = max(found, key=lambda one: one["used_memory"])  # of the fullest node of a cluster
    used, most = info["used_memory"], info.get("maxmemory") or 0
    keeps = info.get("maxmemory_policy") == _EVICTING.get(name)
    if most:  # a cache that is full is as it should be
        bounds = {"warn": 75, "fail": 95} if name == "queue" else {"warn": float("inf")}
        yield above(f"{name}:memory", 100 * used / most, "percent", **bounds)
    yield Measured(f"{name}:evictions", sum(one.get("evicted_keys", 0) for one in found), "keys")
    if name == "queue":
        output = "" if keeps else "Its maxmemory-policy is not noeviction: it may lose jobs."
        yield Measured("queue:policy", info.get("maxmemory_policy"), "", "pass" if keeps else "warn", output)
        yield _persistence(info)


def _persistence(info: dict[str, Any]) -> Measured:
    if info.get("aof_last_write_status") == "err":
        return Measured("queue:persistence", "failed", "", "fail", "Its last write to the append-only file failed.")
    if info.get("aof_enabled"):
        return Measured("queue:persistence", "aof")
    output = "It has no append-only file: after a restart its jobs are dispatched again, which takes a while."
    return Measured("queue:persistence", "none", "", "warn", output)


SERVER_CHECKS = (
    HealthCheck("database:primary", _primary),
    HealthCheck("database:lag", _lag, away="warn"),
    HealthCheck("database:pool", _pool),
    HealthCheck("database:transaction_lifetime", _safety, away="warn"),
    HealthCheck("database:disk", _disk, away="warn"),
    HealthCheck("queue:response", lambda: _store("queue", queue_store(_SECONDS)), away="warn"),
    HealthCheck("cache:response", lambda: _store("cache", cache_store()), away="warn"),
)
