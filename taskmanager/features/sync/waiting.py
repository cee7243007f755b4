"""Requests that wait for changes: a part of the threads, so that others are always served."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taskmanager.core.configuration import settings
from taskmanager.core.storage.database import capacity

_LOOK_SECONDS = 0.25
_MAX_OF_CALLER = 2


class Waiters:
    """The requests of this process that wait. A quarter of the threads may wait, _MAX_OF_CALLER of them for one caller.

    All others answer at once; at least one thread never waits.
    """

    def __init__(self) -> None:
        self.is_ending: Callable[[], bool] = lambda: (
            False
        )  # the web server sets it: a process that stops is not held up
        self._lock = threading.Lock()
        self._of_caller: Counter[str] = Counter()

    @contextmanager
    def place(self, identity: str) -> Iterator[bool]:
        """Yield whether this caller may wait within this block."""
        threads = settings.current().web_threads
        with self._lock:
            is_free = self._of_caller.total() < min(max(1, threads // 4), threads - 1)
            may_wait = is_free and self._of_caller[identity] < _MAX_OF_CALLER
            self._of_caller[identity] += may_wait
        try:
            yield may_wait
        finally:
            with self._lock:
                self._of_caller[identity] -= may_wait
                if not self._of_caller[identity]:
                    del self._of_caller[identity]

    def pause(self, until: float) -> bool:
        """Wait a moment, without a slot of the database; return whether the caller may go on until that time."""
        if time.monotonic() >= until or self.is_ending():
            return False
        with capacity.release_slot():
            time.sleep(_LOOK_SECONDS)
        return True


waiters = Waiters()
