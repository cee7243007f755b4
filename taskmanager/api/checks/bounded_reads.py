"""Reads of several servers at once, in bounded time, whatever the servers do."""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Generic, TypeVar

T = TypeVar("T")


class BoundedReads(Generic[T]):
    """Functions that are called in threads of their own; one that still hangs since the last time gets no second."""

    def __init__(self, reads: Mapping[str, Callable[[], T]], name: str) -> None:
        self._reads = reads
        self._pool = ThreadPoolExecutor(len(reads), thread_name_prefix=name)
        self._running: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def start(self, seconds: float) -> "Started[T]":
        """Call each function whose last call has ended, also that for another caller; wait so many seconds at most."""
        with self._lock:
            for name, read in self._reads.items():
                if name not in self._running or self._running[name].done():
                    self._running[name] = self._pool.submit(read)
            return Started(dict(self._running), time.monotonic() + seconds)


class Started(Generic[T]):
    """The calls that one caller waits for, until a deadline of its own."""

    def __init__(self, pending: dict[str, Future[T]], deadline: float) -> None:
        self._pending, self._deadline = pending, deadline

    def results(self) -> dict[str, T]:
        """Return what was read in time, of the functions that did not fail."""
        wait(self._pending.values(), timeout=max(0.0, self._deadline - time.monotonic()))
        return {name: one.result() for name, one in self._pending.items() if one.done() and not one.exception()}
