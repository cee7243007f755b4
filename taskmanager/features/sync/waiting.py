"""Requests that wait for changes: a part of the threads, so that others are always served."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from taskmanager.core.configuration import settings
from taskmanager.core.storage.database import capacity

_LOOK_SECONDS = 0.25


class Waiters:
    """The requests of this process that wait. A quarter of the threads may wait; all others answer at once."""

    def __init__(self) -> None:
        self.is_ending: Callable[[], bool] = lambda: (
            False
        )  # the web server sets it: a process that stops is not held up
        self._lock = threading.Lock()
        self._number = 0

    @contextmanager
    def place(self) -> Iterator[bool]:
        """Yield whether the caller may wait within this block."""
        with self._lock:
            may_wait = self._number < max(1, settings.current().web_threads // 4)
            self._number += may_wait
        try:
            yield may_wait
        finally:
            with self._lock:
                self._number -= may_wait

    def pause(self, until: float) -> bool:
        """Wait a moment, without a slot of the database; return whether the caller may go on until that time."""
        if time.monotonic() >= until or self.is_ending():
            return False
        with capacity.release_slot():
            time.sleep(_LOOK_SECONDS)
        return True


waiters = Waiters()
