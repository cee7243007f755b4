"""Advisory locks: of the units of work that write one document, such as a project's counters, one runs at a time.

MongoDB aborts all but one of the transactions that write a document concurrently, and they are run again: the more
writers, the more work is wasted. A lock that is taken before the transaction orders them. It is a hint: MongoDB still
decides which transaction commits, and whoever waits for too long goes on without the lock.

Threads of a process wait in the order in which they came. Processes are ordered by leases in the cache store, only
while they compete: after a transaction was aborted for a conflict although its process held the lock. A process keeps a
lease for a few transactions, as long as its threads wait, which saves trips to the store.
"""

import time
from collections import OrderedDict
from collections.abc import Hashable

from taskmanager.core.locking import leases
from taskmanager.core.locking.fair_locks import FairLocks
from taskmanager.core.locking.leases import StoreLease

MAX_WAIT_SECONDS = 3.0  # then the unit of work goes on without the lock
_MAX_KEPT_SECONDS = 0.02  # a process with further waiters keeps a lease for as long
_CONTENDED_SECONDS = 5.0  # after the last sign that another process competes, leases are used for as long
_MAX_CONTENDED = 1_000


class AdvisoryLocks:
    """The advisory locks of a process."""

    def __init__(self) -> None:
        self._locks = FairLocks()
        self._leases: dict[str, StoreLease] = {}  # of locks that are held: only their holders use an entry
        self._contended: OrderedDict[str, float] = OrderedDict()  # {name: until when leases are used}

    def try_acquire(self, name: str, owner: Hashable) -> bool:
        """Acquire a lock that is free and needs no lease and return True; otherwise return False without waiting.

        Return True too when the owner holds it already, with a lease if it needs one by now: without that its
        transaction would conflict with each one of the process that has it.
        """
        if self.is_contended(name):
            return self._locks.holds(name, owner) and self._has_lease(name)
        return self._locks.try_acquire(name, owner)

    def acquire(self, name: str, owner: Hashable, seconds: float = MAX_WAIT_SECONDS) -> bool:
        """Wait for a lock; return False when that takes longer than `seconds`: then the caller goes on without it."""
        end = time.monotonic() + seconds
        try:
            if not self._locks.acquire(name, owner, seconds):
                return False
            self._acquire_lease(name, end)
        except BaseException:
            self.release(name, owner)
            raise
        return True

    def holds(self, name: str, owner: Hashable) -> bool:
        """Return whether this owner holds a lock."""
        return self._locks.holds(name, owner)

    def is_wanted(self, name: str) -> bool:
        """Return whether another thread waits for a lock that is held, or another process competes for it."""
        return self._locks.is_wanted(name) or self.is_contended(name)

    def is_contended(self, name: str) -> bool:
        """Return whether another process competes for a lock, so that its holder needs a lease."""
        return self._contended.get(name, 0.0) > time.monotonic()

    def release(self, name: str, owner: Hashable) -> None:
        """Release a lock: the next thread gets the lease too, unless this process has had it for long enough.

        Do nothing when the owner does not hold it, so that it may be released again after an interruption.
        """
        try:
            lease = self._leases.get(name) if self.holds(name, owner) else None
            if lease and not (self._locks.is_wanted(name) and lease.age < _MAX_KEPT_SECONDS):
                del self._leases[name]
                lease.release()
        finally:
            self._locks.release(name, owner)

    def note_conflict(self, name: str) -> None:
        """Use leases for this name for some seconds: a writer in another process competes."""
        self._contended.pop(name, None)
        self._contended[name] = time.monotonic() + _CONTENDED_SECONDS
        if len(self._contended) > _MAX_CONTENDED:
            self._contended.popitem(last=False)

    def _acquire_lease(self, name: str, end: float) -> None:
        """Acquire a lease where processes compete, unless the thread before has passed one on."""
        if not self.is_contended(name) or self._has_lease(name):
            return
        lease = leases.acquire(name, end - time.monotonic())
        if lease:
            self._leases[name] = lease
        if lease is None or lease.contended:
            self.note_conflict(name)

    def _has_lease(self, name: str) -> bool:
        """Return whether this process has the lease of a lock that it holds, as far as it knows."""
        kept = self._leases.get(name)
        return kept is not None and kept.age <= leases.LEASE_SECONDS


advisory_locks = AdvisoryLocks()
