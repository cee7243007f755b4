"""One use case, one MongoDB transaction.

`@unit_of_work` is a decorator, not a `with` block, because MongoDB asks that a transaction that met a
transient error is run again from its start, and the body of a `with` cannot be run twice. A use case that
calls another joins the transaction that is open. Every MongoEngine call inside uses it (`ClientSession.bind`).
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import pymongo
from mongoengine.errors import NotUniqueError, OperationError
from pymongo.client_session import ClientSession
from pymongo.errors import ConnectionFailure, OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core.configuration import settings
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.storage.database import capacity, client, database

P = ParamSpec("P")
T = TypeVar("T")

_ABORT_SECONDS = 0.2

# What was made outside of the open transaction, see `outside`; None when no transaction is open.
_made: ContextVar[dict[Hashable, Any] | None] = ContextVar("made", default=None)
_after_commit: ContextVar[list[Callable[[], None]] | None] = ContextVar("after_commit", default=None)
_before_commit: ContextVar[dict[Callable[[list[Any]], None], list[Any]] | None] = ContextVar(
    "before_commit", default=None
)


def unit_of_work(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` in one transaction, again from its start when MongoDB asks for it.

    Raises what `function` raises, after rolling back; PyMongoError when the database cannot do it in time.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if _after_commit.get() is not None:
            return function(*args, **kwargs)
        return _transact(lambda: function(*args, **kwargs))

    return run


def outside(key: Hashable, work: Callable[[], T]) -> T:
    """Return what `work` makes, which burns time: it is never done while a transaction is open, which others wait for.

    In a unit of work the transaction is given back, the work is done, and the use case is run again from its start,
    where this answers at once. `key` says what is made: the same is not made twice for one use case.
    """
    made = _made.get()
    if made is None:
        with capacity.release_slot():
            return work()
    if key not in made:
        raise _Outside(key, work)
    return cast(T, made[key])


class _Outside(BaseException):
    """Work is to be done while no transaction is open. No error: only `_transact` may catch it."""

    def __init__(self, key: Hashable, work: Callable[[], Any]) -> None:
        self.key, self.work = key, work
        super().__init__(key)


def long_unit_of_work(seconds: float) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Let `unit_of_work` take so many seconds: for what does a hundred things in one transaction."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            if _after_commit.get() is not None:
                return function(*args, **kwargs)
            return _transact(lambda: function(*args, **kwargs), seconds)

        return run

    return decorate


def on_commit(callback: Callable[[], None]) -> None:
    """Call `callback` once the open transaction is committed; at once when none is open.

    For refreshing caches only: a process may die in between, so what must happen is recorded as an event.
    """
    callbacks = _after_commit.get()
    if callbacks is None:
        callback()
    else:
        callbacks.append(callback)


def before_commit(finish: Callable[[list[Any]], None], item: Any) -> None:
    """Have `finish` called with this item and all others for it, in the open transaction just before its commit.

    At once when no transaction is open.
    """
    waiting = _before_commit.get()
    if waiting is None:
        finish([item])
    else:
        waiting.setdefault(finish, []).append(item)


def finish_now() -> None:
    """Do what waits for the commit at once, for a use case that reads or changes what it has just recorded."""
    waiting = _before_commit.get() or {}
    for finish, items in waiting.items():
        finish(items)
    waiting.clear()


def _transact(function: Callable[[], T], seconds: float | None = None) -> T:
    made: dict[Hashable, Any] = {}
    while True:
        token = _made.set(made)
        try:
            return _in_transaction(function, seconds)
        except _Outside as wanted:
            found = wanted
        finally:
            _made.reset(token)
        with capacity.release_slot():
            made[found.key] = found.work()


def _in_transaction(function: Callable[[], T], seconds: float | None) -> T:
    callbacks: list[Callable[[], None]] = []
    token, before = _after_commit.set(callbacks), _before_commit.set(None)
    try:
        with pymongo.timeout(seconds or _budget_seconds()), client().start_session() as session, _confirming(session):
            result = session.with_transaction(
                lambda session: _aborting(session, lambda: _attempt(session, function, callbacks)),
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority"),
            )
    finally:
        _after_commit.reset(token)
        _before_commit.reset(before)
    _made.set(None)  # what is committed must not be run again
    for callback in callbacks:
        callback()
    return result


@contextmanager
def _confirming(session: ClientSession) -> Iterator[None]:
    """Wait, before a use case refuses something, until the majority has what it has seen.

    A transaction may read what a failover rolls back. Its commit waits for the majority, but one that is aborted
    waits for nothing, and "another was faster" would rest on a write that never was. A session is causally
    consistent: its next read waits until the majority is where the transaction was.
    """
    try:
        yield
    except TaskManagerError:
        if session.operation_time:
            database().counters.find_one({"_id": ""}, session=session)
        raise


def _budget_seconds() -> float:
    """Return longest time for all attempts together: a request answers 503 rather than wait longer for the database.

    The driver looks for a server in steps of half a second: 1.9 s end after 2.0, 2.0 only after 2.5.
    """
    return settings.current().mongodb_timeout_ms / 1000


def _aborting(session: ClientSession, attempt: Callable[[], T]) -> T:
    """Call `attempt`; when it fails, end the transaction on the server too, even if all its time is spent.

    The driver would not send the command then, and what the transaction had written would stay locked for
    everybody until the server gives it up, by default after a minute. An empty context has no deadline yet.
    """
    try:
        return attempt()
    except ConnectionFailure:
        raise  # there is no caller to tell
    except BaseException:
        Context().run(_abort, session)
        raise


def _abort(session: ClientSession) -> None:
    with pymongo.timeout(_ABORT_SECONDS):
        session.abort_transaction()  # raises nothing: an error is ignored by the driver


def _attempt(session: ClientSession, function: Callable[[], T], callbacks: list[Callable[[], None]]) -> T:
    callbacks.clear()
    _before_commit.set({})
    try:
        with session.bind(end_session=False):  # ending it here would roll the transaction back, without a word
            result = function()
            finish_now()
            return result
    except OperationError as error:  # MongoEngine's wrapping hides the driver's "run this transaction again"
        if isinstance(error.__context__, OperationFailure) and not isinstance(error, NotUniqueError):
            raise error.__context__ from error
        raise
