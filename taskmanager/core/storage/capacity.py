"""How many requests of a process may wait for the database at a time: fewer than there are threads.

The first requests of an outage do not know of it yet. One that finds no slot asks whether the database still answers,
and what needs no database goes on in the threads that are left.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from taskmanager.core.storage.breaker import CircuitBreaker, unavailable

_PATIENCE_SECONDS = 0.25
_MAX_QUEUE_SECONDS = 1.5


class _Slot:
    """One of the slots of a semaphore, held or not."""

    def __init__(self, slots: threading.BoundedSemaphore) -> None:
        self._slots, self._held = slots, False

    def acquire(self, seconds: float) -> bool:
        self._held = self._slots.acquire(timeout=seconds)
        return self._held

    def release(self) -> None:
        if self._held:
            self._held = False
            self._slots.release()


_current: ContextVar[_Slot | None] = ContextVar("slot", default=None)  # that of this request


class Capacity:
    """A bounded number of slots; see the module."""

    def __init__(self, breaker: CircuitBreaker, is_gone: Callable[[], bool]) -> None:
        """Take `is_gone`, which says, without asking it, that there is no server which takes writes."""
        self._breaker, self._is_gone = breaker, is_gone
        self._slots = threading.BoundedSemaphore(1)

    def set_threads(self, threads: int) -> None:
        """Say how many threads serve requests: a quarter of them is kept free of waiting for the database."""
        self._slots = threading.BoundedSemaphore(max(1, threads - threads // 4))

    @contextmanager
    def acquire_slot(self) -> Iterator[None]:
        """Hold a slot within this block, for a request that may wait for the database. Raises Unavailable."""
        self._breaker.check()
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
        """Give the caller's slot to others within this block, while it waits for something else, or computes.

        Raises Unavailable at its end when there is none to come back to.
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
        if not slot.acquire(_PATIENCE_SECONDS):
            self._breaker.suspect(gone=self._is_gone())  # else the slots are taken by honest work
            if not slot.acquire(_MAX_QUEUE_SECONDS):
                raise unavailable()
