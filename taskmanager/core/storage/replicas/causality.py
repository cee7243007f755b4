"""Causal time: up to which write of the replica set a request has read or written.

MongoDB reports the time of each operation (`operationTime`). A read with that time (`afterClusterTime`) waits until the
member that answers has all writes before it. So a caller who sends the time of the last write always reads that write,
from any member. Units of work note the time of their commits here, and `reading` reads after it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession


class CausalTime:
    """The time of the latest operation of a request; None before the first one."""

    def __init__(self) -> None:
        self.latest: Timestamp | None = None

    def note(self, moment: Timestamp | None) -> None:
        """Keep `moment` if it is later."""
        if moment is not None and (self.latest is None or moment > self.latest):
            self.latest = moment


_noted: ContextVar[CausalTime | None] = ContextVar("causal_time", default=None)
_bound: ContextVar[ClientSession | None] = ContextVar("causal_session", default=None)


@contextmanager
def noted() -> Iterator[CausalTime]:
    """Yield what collects the time of the commits in this block."""
    found = CausalTime()
    token = _noted.set(found)
    try:
        yield found
    finally:
        _noted.reset(token)


def is_noted() -> bool:
    """Return whether this is within `noted`."""
    return _noted.get() is not None


def note_commit(session: ClientSession) -> None:
    """Note the time of a commit, when the caller of `noted` wants it."""
    found = _noted.get()
    if found is not None:
        found.note(session.operation_time)


def bound_session() -> ClientSession | None:
    """Return the causally consistent session of all operations in the present block, if there is one."""
    return _bound.get()


@contextmanager
def bound(session: ClientSession) -> Iterator[ClientSession]:
    """Use a causally consistent session for all operations in this block."""
    token = _bound.set(session)
    try:
        with session.bind(end_session=False):
            yield session
    finally:
        _bound.reset(token)
