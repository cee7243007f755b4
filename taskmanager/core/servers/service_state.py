"""What operators have declared for the whole service: maintenance, and the message of the day.

It is stored in the database, so all processes share it and it survives restarts. A process reads it again after
FRESH_SECONDS at the earliest, and only when it needs it. While it cannot be read, what was read last stays for
MAX_AGE_SECONDS; after that, and in a process that has read nothing yet, nothing may be changed.
"""

import math
import threading
import time
from dataclasses import dataclass
from datetime import datetime

import pymongo
from mongoengine import DateTimeField, Document, StringField
from pymongo.errors import PyMongoError

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import current as settings
from taskmanager.core.errors import InMaintenance, Unavailable
from taskmanager.core.storage.breaker import unavailable
from taskmanager.core.storage.database import breaker
from taskmanager.core.storage.unit_of_work import on_commit

FRESH_SECONDS, MAX_AGE_SECONDS = 2.0, 10.0
follows_database = True  # tests set it to False: a read from time to time would disturb those that count commands
_READ_SECONDS = 0.5
_RETRY_SECONDS = 120  # when no end was planned, or it is over
_MAINTENANCE, _MESSAGE = "maintenance", "message_of_the_day"


class ServiceNotice(Document):
    """One thing that is declared; `id` says which. It is deleted when it is over."""

    meta = {"collection": "service_notices", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)
    text = StringField()
    since = DateTimeField(required=True)
    until = DateTimeField()


@dataclass(frozen=True)
class Maintenance:
    """The service can be read, and not be changed. `until` is its planned end, at which nothing ends by itself."""

    message: str
    since: datetime
    until: datetime | None = None

    def seconds_left(self) -> int:
        """Return after how many seconds clients should try again."""
        left = (self.until - now()).total_seconds() if self.until else 0.0
        return math.ceil(left) if left > 0 else _RETRY_SECONDS


@dataclass(frozen=True)
class DailyMessage:
    """The message of the day."""

    text: str
    since: datetime


@dataclass(frozen=True)
class ServiceState:
    """What is declared; None for what is not."""

    maintenance: Maintenance | None = None
    message: DailyMessage | None = None


class _Known:
    """What this process has read."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Know nothing, as after the start."""
        self.state, self.until, self.read_at = ServiceState(), 0.0, -math.inf

    def read(self, *, again: bool = False) -> None:
        """Read it, unless another thread just did; `again` reads in any case. Other threads wait for the result."""
        with self.lock:
            started = time.monotonic()
            if started < self.until and not again:
                return
            try:
                breaker.check()
                with pymongo.timeout(settings().time_limit(_READ_SECONDS)):
                    self.state = _stored()
                self.read_at = started
            except (PyMongoError, Unavailable):
                pass  # `is_certain` says how long the old state holds
            self.until = time.monotonic() + FRESH_SECONDS

    def is_certain(self) -> bool:
        """Return whether what is known is new enough for a change."""
        return not follows_database or time.monotonic() - self.read_at < MAX_AGE_SECONDS


_known = _Known()


def current() -> ServiceState:
    """Return what is declared, as it was FRESH_SECONDS ago or later; what was read last while it cannot be read."""
    if follows_database and time.monotonic() >= _known.until:
        _known.read()
    return _known.state


def is_paused() -> bool:
    """Return whether processes may change nothing now; also while that cannot be read."""
    return current().maintenance is not None or not _known.is_certain()


def check_writable() -> None:
    """Raise InMaintenance, which has the message of the operators, while the service can only be read.

    Raises Unavailable while the database does not tell.
    """
    found = current().maintenance
    if found:
        detail = f"{InMaintenance.detail} {found.message}".strip()
        raise InMaintenance(detail, retry_after=found.seconds_left())
    if not _known.is_certain():
        raise unavailable()


def declare_maintenance(message: str, until: datetime | None) -> Maintenance:
    """Store that the service is in maintenance; return it. One that lasts already keeps its beginning."""
    found = _stored().maintenance
    made = Maintenance(message, found.since if found else now(), until)
    _replace(_MAINTENANCE, {"text": message, "since": made.since, "until": until})
    return made


def end_maintenance() -> bool:
    """Return whether the service was in maintenance, after ending it."""
    return _delete(_MAINTENANCE)


def declare_message(text: str) -> DailyMessage:
    """Store the message of the day; return it."""
    made = DailyMessage(text, now())
    _replace(_MESSAGE, {"text": text, "since": made.since})
    return made


def delete_message() -> bool:
    """Return whether there was a message of the day, after deleting it."""
    return _delete(_MESSAGE)


def invalidate() -> None:
    """Read again what this process knows."""
    _known.read(again=True)


def reset() -> None:
    """Have this process know nothing, as after its start; for tests."""
    _known.forget()


def _stored() -> ServiceState:
    rows = {row["_id"]: row for row in ServiceNotice._get_collection().find()}
    maintenance, message = rows.get(_MAINTENANCE), rows.get(_MESSAGE)
    return ServiceState(
        maintenance and Maintenance(maintenance.get("text") or "", maintenance["since"], maintenance.get("until")),
        message and DailyMessage(message.get("text") or "", message["since"]),
    )


def _replace(name: str, row: dict[str, object]) -> None:
    ServiceNotice._get_collection().replace_one({"_id": name}, row, upsert=True)
    on_commit(invalidate)


def _delete(name: str) -> bool:
    deleted = ServiceNotice._get_collection().delete_one({"_id": name}).deleted_count
    on_commit(invalidate)
    return bool(deleted)
