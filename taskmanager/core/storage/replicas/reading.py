"""Reads that secondaries may answer, within a bound of staleness, and never before the reader's own writes.

Two things must come together: the request is of a kind that the operator has allowed (`TASKMANAGER_REPLICA_READS`), and
the collection is one of COLLECTIONS, which decide no rights. Only pages, counts and aggregations of these collections
are read from secondaries; single documents, such as the one that says whether a caller may see a list, are not.

Only these reads wait for the time that the caller has seen, and, but for searches, for what such a read
before has shown: what the primary has read in the same request is newer than any secondary, which must not wait for it.

A secondary that hangs, or that is far behind, costs one request half of the time limit; then the primary answers, and
this process leaves secondaries alone for some seconds, or until there is no primary. A query that may be expensive has
a longer limit of its own (`database.bounded`): when it is too slow, that says nothing about the member, and nothing is
repeated.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import pymongo
import structlog
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import ConnectionFailure, OperationFailure, PyMongoError
from pymongo.read_preferences import SecondaryPreferred

from taskmanager.core.configuration import settings
from taskmanager.core.storage.database import client, database, is_bounded

log = structlog.get_logger("taskmanager.database")

# What lists, searches and statistics read most. None of these says who may see or do what.
COLLECTIONS = frozenset({
    "tasks", "task_counts", "counters", "comments", "attachments", "relations", "reminders", "events", "notifications",
    "deliveries",
})  # fmt: skip

_REST_SECONDS = 5.0  # as long as the driver takes to learn the state of a member
_INVALID_OPTIONS = 72  # the code for a time that the member has not heard of

# The session of the reads that secondaries may answer in this block, and the time up to which its caller has seen all;
# None where only the primary may answer.
_session: ContextVar[tuple[ClientSession, Timestamp | None] | None] = ContextVar("replica_session", default=None)


class MemberFailed(Exception):
    """A read that secondaries may answer has failed: the primary should answer the same request."""

    def __init__(self, cause: PyMongoError) -> None:
        self.cause = cause
        super().__init__(str(cause))


class _Rest:
    """Until when this process does not read from secondaries, by the monotonic clock."""

    until = 0.0


def are_resting() -> bool:
    """Return whether secondaries are left alone, because one has failed and there is a primary to answer for it."""
    return time.monotonic() < _Rest.until and client().topology_description.has_writable_server()


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
def session_after(moment: Timestamp | None) -> Iterator[ClientSession]:
    """Yield a session whose reads have what was committed until `moment`, and nothing older than its read before."""
    with client().start_session(causal_consistency=True) as session:
        if moment is not None:
            session.advance_operation_time(moment)
        yield session


def present() -> Timestamp | None:
    """Return the time up to which everything that was ever acknowledged is."""
    with client().start_session() as session:
        database().counters.find_one({"_id": ""}, {"_id": 1}, session=session)
        return session.operation_time


@contextmanager
def from_secondaries(session: ClientSession) -> Iterator[None]:
    """Let secondaries answer the reads of this block, in this session. The block only reads."""
    token = _session.set((session, session.operation_time))
    try:
        yield
    finally:
        _session.reset(token)


@contextmanager
def readable(collection: Collection[Any]) -> Iterator[Collection[Any]]:
    """Yield the collection as this block may read it: from a secondary where that is allowed, else as it is.

    Raises MemberFailed when the member that was chosen does not answer, at the latest after half of the time limit of
    an operation, so that the primary can answer in time after it.
    """
    known = _session.get()
    if known is None or collection.name not in COLLECTIONS:
        yield collection
        return
    chosen = settings.current()
    preferred = SecondaryPreferred(max_staleness=chosen.replica_staleness_seconds)
    limit = nullcontext() if is_bounded() else pymongo.timeout(chosen.mongodb_timeout_ms / 2000)
    try:
        with limit, _session_of_read(*known):
            yield collection.with_options(read_preference=preferred)
    except PyMongoError as error:
        if is_bounded() and error.timeout:
            raise  # `bounded` says that it was too slow
        raise MemberFailed(error) from error


@contextmanager
def _session_of_read(session: ClientSession, moment: Timestamp | None) -> Iterator[None]:
    """Bind the session of a read. One with a longer limit of its own waits for what the caller has seen, and no more.

    Else it would spend this limit on waiting for a member that is behind the one that answered the read before.
    """
    if not is_bounded():
        with session.bind(end_session=False):
            yield
        return
    with session_after(moment) as own, own.bind(end_session=False):
        yield
        if own.operation_time is not None:
            session.advance_operation_time(own.operation_time)


def is_fault(error: PyMongoError) -> bool:
    """Return whether an error of a read says that a member is away, hangs or is behind, and not just refuses it."""
    return error.timeout or isinstance(error, ConnectionFailure)
