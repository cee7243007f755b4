"""The limit on concurrent expensive queries: a few of each account, and a share of the threads for all of them.

Free text, custom fields, totals, facets, figures and searches may read all tasks that an account sees. Many queries of
one account must not block the requests of others. Each process counts its own.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from taskmanager.core.configuration import settings
from taskmanager.core.errors import TooMany, Unavailable

_WAIT_SECONDS = 0.5


class ExpensiveQueries:
    """The expensive queries of this process that are running, by account."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self._slots = 1

    def set_threads(self, threads: int) -> None:
        """Set the number of threads that serve requests: three eighths of them may run expensive queries."""
        self._slots = max(1, 3 * threads // 8)

    @contextmanager
    def place(self, account: str) -> Iterator[None]:
        """Hold a slot within this block, for a query of an account.

        Raises TooMany (`query.too_many`) when the account has reached its limit, Unavailable (`query.busy`) when no
        slot becomes free within half a second.
        """
        self._acquire(account)
        try:
            yield
        finally:
            self._release(account)

    def _acquire(self, account: str) -> None:
        with self._changed:
            if self._running[account] >= settings.current().expensive_queries:
                raise TooMany("Too many expensive queries at a time.", retry_after=1, code="query.too_many")
            self._running[account] += 1  # also while it waits, so that waiting queries are limited too
            if not self._changed.wait_for(lambda: self._slots > 0, _WAIT_SECONDS):
                self._count_down(account)
                raise Unavailable("Too many expensive queries are running. Try again shortly.", code="query.busy")
            self._slots -= 1

    def _release(self, account: str) -> None:
        with self._changed:
            self._slots += 1
            self._count_down(account)
            self._changed.notify()

    def _count_down(self, account: str) -> None:
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]


expensive_queries = ExpensiveQueries()
