"""Capacity: how many requests of a process may wait for the database at a time: fewer than there are threads.

The first requests of an outage wait for the database. A request that finds no free slot checks whether the database
still responds; requests that need no database use the remaining threads.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from taskmanager.core.configuration.settings import current
from taskmanager.core.storage.breaker import CircuitBreaker, unavailable

_SUSPECT_SECONDS = 0.25
_MAX_QUEUE_SECONDS = 1.5


class _Slot:
    """One of the slots of a semaphore, held or not."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots, self._held = slots, False

    @property
    def is_held(self) -> bool:
        return self._held

    def acquire(self, seconds: float) -> bool:
        self._held = self._slots.acquire(timeout=seconds)
        return self._held

    def release(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


_unchecked: ContextVar[bool] = ContextVar("primary_unchecked", default=False)  # see `check_primary`
_current: ContextVar[_Slot | None] = ContextVar("slot", default=None)  # of this request


class Capacity:
    """A bounded number of slots for requests that wait for the database."""

    def __init__(self, breaker: CircuitBreaker, is_gone: Callable[[], bool]) -> None:
        """Take `is_gone`, which returns, without a request, whether the driver knows no server that accepts writes."""
        self._breaker, self._is_gone = breaker, is_gone
        self._slots = threading.BoundedSemaphore(1)

    def set_threads(self, threads: int) -> None:
        """Set the number of threads that serve requests: a quarter of them never waits for the database."""
        self._slots = threading.BoundedSemaphore(max(1, threads - threads // 4))

    @contextmanager
    def acquire_slot(self, *, needs_primary: bool = True) -> Iterator[None]:
        """Hold a slot within this block, for a request that may wait for the database. Raises Unavailable.

        A request that does not need the primary passes while no server accepts writes, until `check_primary`. A part of
        a request that holds a slot already uses that.
        """
        if needs_primary:
            self._breaker.check()
        unchecked = _unchecked.set(not needs_primary)
        try:
            with self._slot():
                yield
        finally:
            _unchecked.reset(unchecked)

    def check_primary(self) -> None:
        """Do what `acquire_slot` has left out, before a read of such a request that only the primary answers.

        Raises Unavailable at once while no server accepts writes, so that no request waits for it with a slot.
        """
        if _unchecked.get():
            self._breaker.check()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        held = _current.get()
        if held is not None and held.is_held:
            yield
            return
        slot = _Slot(self._slots)
        self._acquire(slot)
        token = _current.set(slot)
        try:
            yield
        finally:
            _current.reset(token)
            slot.release()

    @contextmanager
    def release_slot(self) -> Iterator[None]:
        """Release the caller's slot within this block, while it waits for something else, or computes.

        Raises Unavailable at the end of the block when no slot becomes free.
        """
        slot = _current.get()
        if slot is None:
            yield
            return
        slot.release()
        try:
            yield
        finally:
            self._acquire(slot)

    def _acquire(self, slot: _Slot) -> None:
        if not slot.acquire(_SUSPECT_SECONDS):
            self._breaker.suspect(gone=self._is_gone())  # else the database works, and the slots are just in use
            if not slot.acquire(current().time_limit(_MAX_QUEUE_SECONDS)):
                raise unavailable()
