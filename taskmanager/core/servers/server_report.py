"""The settings of the replica set's members that affect how safe and how fast the service is.

A process that is killed, or a member that hangs, leaves its transaction open. The documents that it has written, such
as the counter of a project, stay locked until the server aborts it: by MongoDB's default after a minute, in which
nothing can be written to that project. Writes outside of transactions are acknowledged by the majority unless an
administrator of the replica set has changed its default.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import pymongo
import structlog
from pymongo.database import Database
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from taskmanager.core import clock
from taskmanager.core.configuration import settings
from taskmanager.core.storage.database import client

log = structlog.get_logger("taskmanager.database")

LIFETIME_SECONDS = 5
_MAX_LIFETIME_SECONDS = 10
_PARAMETER = "transactionLifetimeLimitSeconds"
_SECONDS = 2.0

_CONCERN_WARNING = (
    "Writes are not acknowledged by the majority of the replica set: run "
    'db.adminCommand({setDefaultRWConcern: 1, defaultWriteConcern: {w: "majority"}}).'
)


class ServerReport(TypedDict):
    """How far this process's clock is ahead, the lifetime of transactions in seconds, and what should be changed."""

    clock_ahead_s: float | None
    transaction_lifetime_s: int | None
    database_warnings: list[str]


def report() -> ServerReport:
    """Return the report for operators. Raises PyMongoError when no member responds."""
    ahead, seconds = clock.ahead(), _lifetime()
    return {
        "clock_ahead_s": round(ahead.total_seconds(), 3) if ahead is not None else None,
        "transaction_lifetime_s": seconds,
        "database_warnings": _warnings(seconds),
    }


def log_report() -> None:
    """Log what should be changed, at the start of a process. Does not fail when the database is away."""
    try:
        for warning in _warnings(_lifetime()):
            log.warning("the database is not set as it should be", what=warning)
    except PyMongoError:
        log.warning("the settings of the database cannot be read")


def shorten_lifetimes() -> list[str]:
    """Set the lifetime of transactions to 5 s on each member that is above 10 s; return a line for each of these.

    A line says what was changed, or what an administrator must change. The setting ends when the member restarts.
    """
    return [line for name, port in sorted(client().nodes) if (line := _shorten(name, port))]


def _shorten(name: str, port: int | None) -> str | None:
    member = f"{name}:{port}"
    try:
        with _member(name, port) as admin:
            seconds = admin.command({"getParameter": 1, _PARAMETER: 1})[_PARAMETER]
            if seconds <= _MAX_LIFETIME_SECONDS:
                return None
            admin.command({"setParameter": 1, _PARAMETER: LIFETIME_SECONDS})
    except PyMongoError:
        return _too_long("a minute", member)
    return f"{member}: transactions live for {LIFETIME_SECONDS} s instead of {seconds}, until it is restarted"


@contextmanager
def _member(name: str, port: int | None) -> Iterator[Database[dict[str, Any]]]:
    """Yield the admin database of exactly this member, with the credentials and the encryption of the setting."""
    parsed = parse_uri(settings.current().mongodb_uri)
    options = {key: value for key, value in parsed["options"].items() if key.lower() != "replicaset"}
    if parsed["username"]:
        options |= {"username": parsed["username"], "password": parsed["password"]}
        options.setdefault("authSource", parsed["database"] or "admin")
    bounds = {"timeoutMS": int(_SECONDS * 1000), "serverSelectionTimeoutMS": 1000, "directConnection": True}
    with pymongo.MongoClient(name, port, **(options | bounds)) as found:
        yield found.admin


def _lifetime() -> int | None:
    """Return the lifetime of transactions on the primary, in seconds; None when the user may not read it."""
    try:
        with pymongo.timeout(_SECONDS):
            return int(client().admin.command({"getParameter": 1, _PARAMETER: 1})[_PARAMETER])
    except pymongo.errors.OperationFailure:
        return None


def _warnings(seconds: int | None) -> list[str]:
    found = []
    if seconds is not None and seconds > _MAX_LIFETIME_SECONDS:
        found.append(_too_long(f"{seconds} s", "every member"))
    if not _majority():
        found.append(_CONCERN_WARNING)
    return found


def _majority() -> bool:
    """Return whether writes wait for the majority by default; True when the user may not read the default."""
    try:
        with pymongo.timeout(_SECONDS):
            defaults = client().admin.command("getDefaultRWConcern")
    except pymongo.errors.OperationFailure:
        return True
    return bool(defaults.get("defaultWriteConcern", {}).get("w") == "majority")


def _too_long(lifetime: str, member: str) -> str:
    return (
        f"A killed process may block the writes of a project for {lifetime}: run on {member} "
        f"db.adminCommand({{setParameter: 1, {_PARAMETER}: {LIFETIME_SECONDS}}}), and put "
        f"'setParameter: {{{_PARAMETER}: {LIFETIME_SECONDS}}}' into the configuration of mongod, "
        "because the parameter does not survive a restart."
    )
