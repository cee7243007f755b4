"""A throttle: gives postponed work times at which to come back, in order and at a limited rate."""

import threading
from collections.abc import Hashable
from datetime import datetime, timedelta

from taskmanager.core.clock import now

_MAX_KEYS = 1000


class Throttle:
    """Gives each caller of a key its own time, at most `a_second` of them a second. Holds for this process only."""

    def __init__(self, a_second: float) -> None:
        self._step = timedelta(seconds=1 / a_second)
        self._last: dict[Hashable, datetime] = {}
        self._lock = threading.Lock()

    def next(self, key: Hashable, earliest: datetime) -> datetime:
        """Return the first free time of `key` that is not before `earliest`. Safe to call from any thread."""
        with self._lock:
            moment = max(earliest, self._last.get(key, earliest - self._step) + self._step)
            if len(self._last) >= _MAX_KEYS:
                present = now()
                self._last = {known: last for known, last in self._last.items() if last > present}
            self._last[key] = moment
            return moment
