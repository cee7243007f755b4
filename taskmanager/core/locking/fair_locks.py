"""Locks between the threads of a process, whose waiters get them in the order in which they came (FIFO)."""

import threading
from collections import deque


class FairLocks:
    """Named locks. A lock exists only while a thread holds it, so there are at most as many as threads."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._waiting: dict[str, deque[threading.Event]] = {}  # by the name of a lock that is held

    def try_acquire(self, name: str) -> bool:
        """Acquire a lock that is free and return True; return False without waiting when it is held."""
        with self._mutex:
            return self._take(name)

    def acquire(self, name: str, seconds: float) -> bool:
        """Acquire a lock after all threads that already wait for it; return False when that takes longer."""
        granted = threading.Event()
        with self._mutex:
            if self._take(name):
                return True
            self._waiting[name].append(granted)
        if granted.wait(seconds):
            return True
        with self._mutex:
            if granted.is_set():  # granted at the last moment
                return True
            self._waiting[name].remove(granted)
        return False

    def is_wanted(self, name: str) -> bool:
        """Return whether a thread waits for a lock that the caller holds."""
        with self._mutex:
            return bool(self._waiting[name])

    def release(self, name: str) -> None:
        """Give a lock that the caller holds to the thread that has waited longest."""
        with self._mutex:
            waiting = self._waiting[name]
            if waiting:
                waiting.popleft().set()
            else:
                del self._waiting[name]

    def _take(self, name: str) -> bool:
        if name in self._waiting:
            return False
        self._waiting[name] = deque()
        return True
