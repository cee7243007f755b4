"""The unit of work: one MongoDB transaction for one use case.

`@unit_of_work` is a decorator, not a `with` block, because MongoDB requires that a transaction is run again from its
start after a transient error, and the body of a `with` cannot be run twice. A use case that calls another one uses the
same transaction. Every MongoEngine call inside is part of it (`ClientSession.bind`).
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from functools import wraps
from typing import Any, NoReturn, ParamSpec, TypeVar, cast

import pymongo
from mongoengine.errors import NotUniqueError, OperationError
from pymongo.client_session import ClientSession
from pymongo.errors import ConnectionFailure, OperationFailure
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core.configuration import settings
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.locking.held_locks import HeldLocks
from taskmanager.core.servers.driver import when_committed
from taskmanager.core.storage.database import capacity, client, database
from taskmanager.core.storage.replicas import causality

P = ParamSpec("P")
T = TypeVar("T")

_ABORT_SECONDS, _WRITE_CONFLICT = 0.2, 112

# The results of work outside of the open transaction, see `outside`; None when no transaction is open.
_made: ContextVar[dict[Hashable, Any] | None] = ContextVar("made", default=None)
_order: ContextVar[HeldLocks | None] = ContextVar("order", default=None)
_after_commit: ContextVar[list[Callable[[], None]] | None] = ContextVar("after_commit", default=None)
_before_commit: ContextVar[dict[Callable[[list[Any]], None], list[Any]] | None] = ContextVar(
    "before_commit", default=None
)


def unit_of_work(function: Callable[P, T]) -> Callable[P, T]:
    """Run `function` in one transaction, again from its start when MongoDB requires it.

    Raises what `function` raises, after a rollback; PyMongoError when the database cannot commit in time.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        if _after_commit.get() is not None:
            return function(*args, **kwargs)
        return _transact(lambda: function(*args, **kwargs))

    return run


def outside(key: Hashable, work: Callable[[], T]) -> T:
    """Return the result of `work`, which takes long: it never runs while a transaction is open, which blocks others.

    In a unit of work the transaction is aborted, the work is done, and the use case is run again from its start; then
    this returns the result at once. `key` identifies the work, which is done once for a use case.
    """
    made = _made.get()
    if made is None:
        with capacity.release_slot():
            return work()
    if key not in made:
        raise _Outside(key, work)
    return cast(T, made[key])


def run_again() -> NoReturn:
    """Abort the open transaction and run its use case again from its start. The caller has noted why, outside of it."""
    raise _Outside(object(), lambda: None)


def hold_advisory_lock(name: str) -> None:
    """Hold an advisory lock from before the transaction begins until it is committed (see `core.locking`).

    Call it as early as possible: when the lock is not free, the transaction is aborted, and the use case is run again
    from its start once it has the lock; and once more when another process turns out to compete for it. Only for units
    of work that write a document that many others write too.
    """
    order = _order.get()
    if order is not None and not order.is_settled(name):
        outside(("advisory lock", name, order.is_contended(name)), lambda: order.wait(name))


class _Outside(BaseException):
    """A signal that work must be done while no transaction is open. Not an error: only `_transact` may catch it."""

    def __init__(self, key: Hashable, work: Callable[[], object]) -> None:
        self.key, self.work = key, work
        super().__init__(key)


def long_unit_of_work(seconds: float) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a `unit_of_work` decorator with a limit of `seconds`, for a use case with hundreds of operations.

    The limit is longer where an operation may take longer, see `Settings.time_limit`.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            if _after_commit.get() is not None:
                return function(*args, **kwargs)
            return _transact(lambda: function(*args, **kwargs), seconds)

        return run

    return decorate


def on_commit(callback: Callable[[], None]) -> None:
    """Call `callback` after the open transaction has committed; at once when none is open.

    Only for invalidating caches: a process may die in between, so what must happen is recorded as an event.
    """
    callbacks = _after_commit.get()
    if callbacks is None:
        callback()
    else:
        callbacks.append(callback)


def before_commit(finish: Callable[[list[T]], None], item: T) -> None:
    """Call `finish` with this item and all others for it, in the open transaction just before its commit.

    At once when no transaction is open.
    """
    waiting = _before_commit.get()
    if waiting is None:
        finish([item])
    else:
        waiting.setdefault(finish, []).append(item)


def finish_now() -> None:
    """Run the functions of `before_commit` now, for a use case that reads or changes what it has just recorded."""
    waiting = _before_commit.get() or {}
    for finish, items in waiting.items():
        finish(items)
    waiting.clear()


def _transact(function: Callable[[], T], seconds: float | None = None) -> T:
    order = HeldLocks()
    token = _order.set(order)
    try:
        return _repeat(function, seconds)
    finally:
        try:
            order.end()
        finally:
            _order.reset(token)


def _repeat(function: Callable[[], T], seconds: float | None) -> T:
    """Run `function` in a transaction, again after each work that must be done outside of one."""
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
        with pymongo.timeout(_budget_seconds(seconds)), client().start_session() as session, _confirming(session):
            result = session.with_transaction(
                lambda session: _aborting(session, lambda: _attempt(session, function, callbacks)),
                read_concern=ReadConcern("snapshot"),
                write_concern=WriteConcern("majority"),
            )
            causality.note_commit(session)
    finally:
        _after_commit.reset(token)
        _before_commit.reset(before)
    _made.set(None)  # a committed use case must not be run again
    _release_advisory_locks()
    for callback in callbacks:
        callback()
    return result


def _let_the_next_begin(session: ClientSession) -> None:
    """Release advisory locks that others wait for when the primary has committed, before the majority has.

    The next transaction does not conflict then: only the response waits for the majority, which takes longer than all
    commands before where the members are far from each other.
    """
    order = _order.get()
    if order is not None and order.may_end_early():
        when_committed(session, order.release)


def _release_advisory_locks() -> None:
    order = _order.get()
    if order is not None:
        order.release()


@contextmanager
def _confirming(session: ClientSession) -> Iterator[None]:
    """Before an error of a use case is raised, wait until the majority has the data that the transaction has read.

    A transaction may read data that a failover rolls back. Its commit waits for the majority, but an aborted
    transaction waits for nothing, and an error such as "another writer was faster" could depend on a write that was
    rolled back. A session is causally consistent: its next read waits until the majority has reached that point.
    """
    try:
        yield
    except TaskManagerError:
        if session.operation_time:
            database().counters.find_one({"_id": ""}, session=session)
        raise


def _budget_seconds(seconds: float | None) -> float:
    """Return the time limit for all attempts together, in seconds: after it a request gets 503.

    The driver retries server selection every half second: a limit of 1.9 s ends after 2.0 s, one of 2.0 s after 2.5 s.
    """
    chosen = settings.current()
    return chosen.time_limit(seconds) if seconds else chosen.mongodb_timeout_ms / 1000


def _aborting(session: ClientSession, attempt: Callable[[], T]) -> T:
    """Call `attempt`; when it fails, abort the transaction on the server too, even after the time limit.

    The driver would not send the command then, and the documents of the transaction would stay locked until the
    server aborts it, by default after a minute. An empty context has no time limit.
    """
    try:
        return attempt()
    except ConnectionFailure:
        raise  # there is no server to send the command to
    except BaseException as error:
        Context().run(_abort, session)
        _note_conflict(error)
        raise


def _note_conflict(error: BaseException) -> None:
    """After a conflict with another writer, run the use case again from its start without the driver's pauses.

    These grow, and another process that has none would always be first, as long as no lease orders the two.
    """
    order = _order.get()
    is_conflict = isinstance(error, OperationFailure) and error.code == _WRITE_CONFLICT
    if order is not None and is_conflict and order.note_conflict():
        raise _Outside(object(), order.pause) from error


def _abort(session: ClientSession) -> None:
    with pymongo.timeout(_ABORT_SECONDS):
        session.abort_transaction()  # raises nothing: the driver ignores errors


def _attempt(session: ClientSession, function: Callable[[], T], callbacks: list[Callable[[], None]]) -> T:
    callbacks.clear()
    _before_commit.set({})
    try:
        with session.bind(end_session=False):  # ending the session here would silently roll the transaction back
            result = function()
            finish_now()
            _let_the_next_begin(session)
            return result
    except OperationError as error:  # MongoEngine's wrapping hides the driver's "run this transaction again"
        if isinstance(error.__context__, OperationFailure) and not isinstance(error, NotUniqueError):
            raise error.__context__ from error
        raise
