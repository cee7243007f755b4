"""The budget of queries that may be expensive: few of one account at a time, and a share of the places for all of them.

Free text, custom fields, totals, facets, figures and searches may read all tasks that an account sees. Many at once by
one account must leave room for what others ask. Each process counts its own.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from taskmanager.core.configuration import settings
from taskmanager.core.errors import TooMany, Unavailable

_WAIT_SECONDS = 0.5


class ExpensiveQueries:
    """See the module."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._running: Counter[str] = Counter()
        self._places = 1

    def set_threads(self, threads: int) -> None:
        """Say how many threads serve requests: less than half of them may be busy with expensive queries."""
        self._places = max(1, 3 * threads // 8)

    @contextmanager
    def place(self, account: str) -> Iterator[None]:
        """Hold a place for a query of an account.

        Raises TooMany (`query.too_many`) when the account has as many under way as it may, Unavailable (`query.busy`)
        when all places stay taken.
        """
        self._take(account)
        try:
            yield
        finally:
            self._leave(account)

    def _take(self, account: str) -> None:
        with self._changed:
            if self._running[account] >= settings.current().expensive_queries:
                raise TooMany("Too many expensive queries at a time.", retry_after=1, code="query.too_many")
            self._running[account] += 1  # also while it waits, so that what waits is bounded too
            if not self._changed.wait_for(lambda: self._places > 0, _WAIT_SECONDS):
                self._forget(account)
                raise Unavailable("Many ask for much now. Try again shortly.", code="query.busy")
            self._places -= 1

    def _leave(self, account: str) -> None:
        with self._changed:
            self._places += 1
            self._forget(account)
            self._changed.notify()

    def _forget(self, account: str) -> None:
        self._running[account] -= 1
        if not self._running[account]:
            del self._running[account]


expensive_queries = ExpensiveQueries()
