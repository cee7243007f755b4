"""The sequencer: a thread of the relay that gives committed events their positions, in one order.

Of several relays one does it, by a lease. The lease only saves work: two sequencers at the same time do no harm.
"""

import threading

import structlog
from pymongo.errors import PyMongoError

from taskmanager.core.events import positions
from taskmanager.core.storage.lease import Lease

log = structlog.get_logger("taskmanager.sequencer")

_MIN_SECONDS, _MAX_SECONDS = 0.05, 0.25  # between two looks: while events come, and while none do
_STANDBY_SECONDS = 0.5
_OUTAGE_SECONDS = 0.5
_END_SECONDS = 3.0


class Sequencer(threading.Thread):
    """Places events until `end`."""

    def __init__(self) -> None:
        super().__init__(name="sequencer", daemon=True)
        self._ended = threading.Event()
        self._lease = Lease("positions")
        self._away = False

    def run(self) -> None:
        """Place events, with backoff while there are none, or while the database is away."""
        pause = _MIN_SECONDS
        while not self._ended.wait(pause):
            pause = self._step(pause)
        self._release()

    def end(self) -> None:
        """End the thread after its present step."""
        self._ended.set()
        self.join(_END_SECONDS)

    def _step(self, before: float) -> float:
        """Place the events that wait; return the seconds until the next look."""
        try:
            pause = self._place(before) if self._lease.hold() else _STANDBY_SECONDS
        except PyMongoError as error:
            return self._note_outage(error)
        except Exception:  # the relay must not continue without its sequencer
            log.exception("events were not placed")
            return _OUTAGE_SECONDS
        self._away = False
        return pause

    def _place(self, before: float) -> float:
        if not positions.are_waiting():
            return min(max(before, _MIN_SECONDS) * 2, _MAX_SECONDS)
        return 0.0 if positions.place_next() == positions.MAX_BATCH else _MIN_SECONDS

    def _note_outage(self, error: PyMongoError) -> float:
        if not self._away:
            log.warning("the database is away", error=type(error).__name__)
        self._away = True
        return _OUTAGE_SECONDS

    def _release(self) -> None:
        try:
            self._lease.release()
        except PyMongoError:
            log.warning("the lease was not released and will expire")
