"""Locks between the threads of a process, whose waiters get them in the order in which they came (FIFO)."""

import threading
from collections.abc import Hashable


class FairLocks:
    """Named locks. A lock exists only while an owner holds it, so there are at most as many as threads.

    An owner may be interrupted by an exception at any step, such as the time limit of a job: it releases all that it
    has tried to acquire. To release a lock that the owner does not hold does nothing.
    """

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._queues: dict[str, dict[Hashable, threading.Lock]] = {}  # {name: {owner: gate}}: the first one holds it

    def try_acquire(self, name: str, owner: Hashable) -> bool:
        """Acquire a lock that is free and return True; return False without waiting when another owner holds it."""
        with self._mutex:
            if name not in self._queues:
                self._queues[name] = {owner: threading.Lock()}
            return self._is_first(name, owner)

    def acquire(self, name: str, owner: Hashable, seconds: float) -> bool:
        """Acquire a lock after all owners that already wait for it; return False when that takes longer."""
        gate = threading.Lock()
        gate.acquire()  # it opens when the owner becomes the first one
        try:
            with self._mutex:
                self._queues.setdefault(name, {}).setdefault(owner, gate)
            if self.holds(name, owner) or gate.acquire(timeout=seconds) or self.holds(name, owner):
                return True
        except BaseException:
            self.release(name, owner)
            raise
        self.release(name, owner)
        return False

    def holds(self, name: str, owner: Hashable) -> bool:
        """Return whether this owner holds a lock."""
        with self._mutex:
            return self._is_first(name, owner)

    def is_wanted(self, name: str) -> bool:
        """Return whether an owner waits for a lock that another one holds."""
        with self._mutex:
            return len(self._queues.get(name, ())) > 1

    def release(self, name: str, owner: Hashable) -> None:
        """Give a lock to the owner that has waited longest; an owner that waits itself waits no more."""
        with self._mutex:
            was_first = self._is_first(name, owner)
            queue = self._queues.get(name, {})
            queue.pop(owner, None)
            if not queue:
                self._queues.pop(name, None)
            elif was_first:
                next(iter(queue.values())).release()

    def _is_first(self, name: str, owner: Hashable) -> bool:
        return next(iter(self._queues.get(name, ())), None) == owner
