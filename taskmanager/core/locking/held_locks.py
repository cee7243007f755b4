"""The advisory locks that one unit of work holds or waits for."""

import random
import threading
import time

from taskmanager.core.locking.advisory_locks import MAX_WAIT_SECONDS, advisory_locks

MAX_REPEAT_SECONDS = 1.0  # then MongoDB's driver repeats the transaction, after pauses that grow to half a second
_PAUSE_SECONDS = 0.005
MAX_CONFIRMING = 3  # units of work of a process: each has one of some eight slots of the database meanwhile

_mutex = threading.Lock()
_confirming: set["HeldLocks"] = set()


class HeldLocks:
    """The advisory locks of one unit of work."""

    def __init__(self) -> None:
        self._names: list[str] = []  # noted before they are acquired, and forgotten after they are released
        self._met: float | None = None  # when it first met a writer that the locks did not order
        self._patience = MAX_WAIT_SECONDS  # for all of them together: a request may write a hundred busy projects

    def is_settled(self, name: str) -> bool:
        """Return whether the lock is held, after acquiring it if it is free."""
        if name not in self._names:
            self._names.append(name)
        return advisory_locks.try_acquire(name, self)

    def wait(self, name: str) -> None:
        """Wait for a lock; go on without it when that takes too long."""
        begun = time.monotonic()
        advisory_locks.acquire(name, self, self._patience)
        self._patience = max(0.0, self._patience - (time.monotonic() - begun))

    def is_contended(self, name: str) -> bool:
        """Return whether another process competes for a lock."""
        return advisory_locks.is_contended(name)

    def may_end_early(self) -> bool:
        """Return whether others wait, and the locks may be released before the majority has the commit.

        Where the majority is slow, MAX_CONFIRMING units of work may wait for it, and the next one keeps its locks.
        """
        if not any(map(advisory_locks.is_wanted, self._names)):
            return False
        with _mutex:
            if len(_confirming) < MAX_CONFIRMING:
                _confirming.add(self)
        return self in _confirming

    def note_conflict(self) -> bool:
        """Note that MongoDB has met another writer: the locks that are held are ordered over processes for some time.

        Return whether the unit of work runs again soon: those behind it wait for it meanwhile.
        """
        for name in self._names:
            if advisory_locks.holds(name, self):
                advisory_locks.note_conflict(name)
        self._met = self._met or time.monotonic()
        return bool(self._names) and time.monotonic() < self._met + MAX_REPEAT_SECONDS

    @staticmethod
    def pause() -> None:
        """Wait for another writer to end, for some milliseconds, while no transaction is open.

        By chance, because two writers that met once and wait for as long would meet again.
        """
        time.sleep(random.uniform(0, _PAUSE_SECONDS))  # noqa: S311 no secret

    def end(self) -> None:
        """Release all locks, when the unit of work is over."""
        try:
            self.release()
        finally:
            _confirming.discard(self)

    def release(self) -> None:
        """Release all locks, also when the time limit of a job interrupts this, which happens once."""
        try:
            self._release()
        except BaseException:
            self._release()
            raise

    def _release(self) -> None:
        while self._names:
            advisory_locks.release(self._names[-1], self)
            self._names.pop()
