"""Reads the log in the order of positions and publishes it: at least once, in order, nothing left out.

The cursor is the position of the last event that the broker has confirmed. It is stored after the confirmation, so that
a publisher that dies publishes the last batch again; consumers know repeated events by `id`.
"""

import signal
import time
from types import FrameType

import structlog
from pymongo.errors import DuplicateKeyError, PyMongoError

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.storage.database import database
from taskmanager.core.storage.lease import Lease
from taskmanager_rabbitmq.cloud_events import cloud_event
from taskmanager_rabbitmq.settings import RabbitSettings
from taskmanager_rabbitmq.sink import RabbitSink, Sink, SinkUnavailable

log = structlog.get_logger("taskmanager.rabbitmq")

COLLECTION, CURSOR = "x_rabbitmq_cursors", "events"
_IDLE_SECONDS, _STANDBY_SECONDS, _MAX_WAIT_SECONDS = 0.1, 1.0, 30.0


class Publisher:
    """Publishes what is behind the cursor."""

    def __init__(self, sink: Sink, settings: RabbitSettings) -> None:
        self._sink, self._settings = sink, settings
        self._noted = 0

    def step(self) -> int:
        """Publish the next events; return how many positions were passed. Raises SinkUnavailable, PyMongoError."""
        last, (until, floor) = cursor(), positions.bounds()
        self._note_deleted(last, floor)
        behind = Event.objects(position__gt=last, position__lte=until).order_by("position")
        events = list(behind.limit(self._settings.batch))
        if not events:
            if last < floor:
                _move(last, floor)
            return 0
        wanted = [event for event in events if self._settings.audited or not event.audited]
        if wanted:
            self._sink.publish([cloud_event(event, self._settings.source) for event in wanted])
        _move(last, events[-1].position)
        return len(events)

    def _note_deleted(self, last: int, floor: int) -> None:
        """Say once that retention has deleted events behind the cursor."""
        if last < floor != self._noted:
            self._noted = floor
            log.error("events are deleted that the cursor has not passed", first=last + 1, last=floor)


def cursor() -> int:
    """Return the last position that was published; at first that of the last event, so that only later ones are."""
    cursors = database()[COLLECTION]
    if row := cursors.find_one({"_id": CURSOR}):
        return int(row["position"])
    start = positions.head()
    try:
        cursors.insert_one({"_id": CURSOR, "position": start})
    except DuplicateKeyError:
        return cursor()
    return start


def rewind(position: int) -> None:
    """Publish what is behind this position again."""
    database()[COLLECTION].update_one({"_id": CURSOR}, {"$set": {"position": position}}, upsert=True)


def _move(last: int, position: int) -> None:
    """Store the cursor, unless another process, or `rewind`, has moved it meanwhile."""
    database()[COLLECTION].update_one({"_id": CURSOR, "position": last}, {"$set": {"position": position}})


class PublisherProcess:
    """The process: one of several works, the others stand by; it ends at SIGTERM or SIGINT, after its batch."""

    def __init__(self, settings: RabbitSettings) -> None:
        self._sink = RabbitSink(settings.url.get_secret_value(), settings.exchange, settings.queue)
        self._publisher = Publisher(self._sink, settings)
        self._lease = Lease("rabbitmq.publish", seconds=60.0)
        self._stopping, self._failures = False, 0

    def run(self) -> None:
        """Publish until a signal."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        try:
            while not self._stopping:
                self._sleep(self._run_step())
        finally:
            self._sink.close()
            self._lease.release()

    def _run_step(self) -> float:
        """Run a step; return the seconds to wait."""
        try:
            if not self._lease.hold():
                return _STANDBY_SECONDS
            pause = 0.0 if self._publisher.step() else _IDLE_SECONDS
            self._sink.keep_alive()
        except (SinkUnavailable, PyMongoError) as error:
            return self._note(error)
        if self._failures:
            log.info("events are published again")
        self._failures = 0
        return pause

    def _note(self, error: Exception) -> float:
        if not self._failures:
            log.warning("events wait: broker or database is away", error=str(error) or type(error).__name__)
        self._failures += 1
        return min(_MAX_WAIT_SECONDS, 0.5 * 2 ** min(self._failures, 10))

    def _sleep(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self._stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.2))

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
