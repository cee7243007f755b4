"""Reads that secondaries may answer, within a bound of staleness, and never before the reader's own writes.

Two things must come together: the request is of a kind that the operator has allowed (`TASKMANAGER_REPLICA_READS`), and
the collection is one of COLLECTIONS, which decide no rights. Only pages, counts and aggregations of these collections
are read from secondaries; single documents, such as the one that says whether a caller may see a list, are not.

A secondary that hangs, or that is far behind, costs one request half of the time limit; then the primary answers, and
this process leaves secondaries alone for some seconds.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import pymongo
import structlog
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.read_preferences import SecondaryPreferred

from taskmanager.core.configuration import settings
from taskmanager.core.storage.database import client, database
from taskmanager.core.storage.replicas import causality

log = structlog.get_logger("taskmanager.database")

# What lists, searches, statistics and exports read most. None of these says who may see or do what.
COLLECTIONS = frozenset({
    "tasks", "task_counts", "counters", "comments", "attachments", "relations", "reminders", "events", "notifications",
    "deliveries",
})  # fmt: skip

_REST_SECONDS = 5.0  # as long as the driver takes to learn the state of a member
_INVALID_OPTIONS = 72  # the code for a time that the member has not heard of

_allowed: ContextVar[bool] = ContextVar("replicas_allowed", default=False)


class _Rest:
    """Until when this process does not read from secondaries, by the monotonic clock."""

    until = 0.0


def are_resting() -> bool:
    """Return whether secondaries are left alone, because one has failed."""
    return time.monotonic() < _Rest.until


def rest(error: Exception) -> None:
    """Leave secondaries alone for some seconds, after one has not answered."""
    if not are_resting():
        log.warning("secondaries do not answer: the primary does", error=type(error).__name__)
    _Rest.until = time.monotonic() + _REST_SECONDS


def wake() -> None:
    """Read from secondaries again, for example with new settings."""
    _Rest.until = 0.0


def is_unheard_of(error: BaseException) -> bool:
    """Return whether a member has not heard of a time, and does not wait for it."""
    return isinstance(error, OperationFailure) and error.code == _INVALID_OPTIONS


@contextmanager
def after(moment: Timestamp | None) -> Iterator[ClientSession]:
    """Read in this block what was committed until `moment`, and nothing older than the read before."""
    with client().start_session(causal_consistency=True) as session:
        if moment is not None:
            session.advance_operation_time(moment)
        with causality.bound(session):
            yield session


def present() -> Timestamp | None:
    """Return the time up to which everything that was ever acknowledged is."""
    with client().start_session() as session:
        database().counters.find_one({"_id": ""}, {"_id": 1}, session=session)
        return session.operation_time


@contextmanager
def from_secondaries() -> Iterator[None]:
    """Let secondaries answer the reads of this block."""
    token = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(token)


@contextmanager
def within_half_of_the_limit() -> Iterator[None]:
    """Bound this block by half of the time limit of an operation, so that the primary can answer in time after it."""
    with pymongo.timeout(settings.current().mongodb_timeout_ms / 2000):
        yield


def readable(collection: Collection[Any]) -> Collection[Any]:
    """Return the collection as this block may read it: from a secondary where that is allowed, else as it is."""
    if not _allowed.get() or collection.name not in COLLECTIONS:
        return collection
    session = causality.bound_session()
    if session is None or session.in_transaction:
        return collection
    bound = settings.current().replica_staleness_seconds
    return collection.with_options(read_preference=SecondaryPreferred(max_staleness=bound))


def failed(error: BaseException) -> bool:
    """Return whether an error of a block may be the fault of a secondary, so that the primary should answer."""
    cause = error if isinstance(error, PyMongoError) else error.__cause__
    return isinstance(cause, PyMongoError)
