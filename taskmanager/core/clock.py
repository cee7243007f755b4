"""The clock that all processes share: the clock of the database.

Processes run on machines whose clocks differ, and a clock may be set while they run. One process writes when something
is due, and others compare that with their own time. So all processes use the clock of the database's primary. The
driver's heartbeats report it every few seconds (`core.servers.heartbeats`); between them the monotonic clock advances
it. A local clock that differs by less than a second is used as it is: machines with synchronized time agree better
with each other than a heartbeat can measure.

MongoDB stores milliseconds, and `now()` returns milliseconds: a response shows what is stored.
"""

import threading
import time
from calendar import monthrange
from collections import deque
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from typing import TypeVar

Day = TypeVar("Day", date, datetime)

# The years that clients may send. What the service adds to a moment in them stays within the range of `datetime`.
FIRST_YEAR, LAST_YEAR = 1900, 2200
LAST = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)

# Formats of days and times as regular expressions that mean the same in Python and in the OpenAPI document (ECMA-262).
# They are exact to the leap day, so that the service accepts what the document allows.
_YEAR = r"(?:(?:19|20|21)[0-9]{2}|2200)"
_LEAP_YEAR = r"(?:(?:19|20|21)(?:0[48]|[2468][048]|[13579][26])|2000)"
DAY = (
    rf"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rf"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
HOUR_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SECOND = r":[0-5][0-9]"
OFFSET = rf"[+-]{HOUR_MINUTE}"


_TOLERANCE_SECONDS = 1.0
_MAX_SKEW = timedelta(minutes=1)

# Tests travel in time by moving the clock of their own process: they set this to False, and no other code does.
follows_database = True
_lock = threading.Lock()  # several clients of one process receive heartbeats concurrently
_readings: deque[float] = deque(maxlen=8)  # seconds from the monotonic clock to the database's time
_reading: float | None = None  # the one in use


def observe(moment: datetime, *, of_another: bool = False) -> None:
    """Record a reading of the database's clock; with `of_another` (a new primary), discard the earlier readings."""
    global _reading
    with _lock:
        if of_another:
            _readings.clear()
        _readings.append(moment.timestamp() - time.monotonic())
        # a delayed reading makes the time seem earlier than it is: of the last few, use the one with the least delay
        _reading = max(_readings)


def ahead() -> timedelta | None:
    """Return how far this process's own clock is ahead of the database's; None before the first reading."""
    return None if _reading is None else timedelta(seconds=time.time() - time.monotonic() - _reading)


def now() -> datetime:
    """Return the present moment in UTC by the database's clock, cut to whole milliseconds.

    Before the first reading of the database's clock, return the time of this process's own clock.
    """
    seconds = time.time()
    if follows_database and _reading is not None:
        at_database = time.monotonic() + _reading
        if abs(seconds - at_database) > _TOLERANCE_SECONDS:
            seconds = at_database
    return datetime.fromtimestamp(int(seconds * 1000) / 1000, UTC)


def advanced(field: str, moment: datetime, *, by_ms: int = 0) -> dict[str, object]:
    """Return an update expression: `moment`, or the value of `field` plus `by_ms` when that value is not earlier.

    So a stored time never runs backwards. A value that is more than a minute ahead came from a wrong clock, and
    `moment` replaces it.
    """
    stored = f"${field}"
    plausible = {"$lte": [stored, moment + _MAX_SKEW]}
    return {"$cond": [{"$and": [{"$gte": [stored, moment]}, plausible]}, {"$add": [stored, by_ms]}, moment]}


def milliseconds(moment: datetime) -> datetime:
    """Return the moment in UTC, cut to whole milliseconds."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """Return a UTC moment as `2026-12-01T09:00:00.000Z`; rows of pages have moments without a zone."""
    return moment.isoformat("T", "milliseconds")[:23] + "Z"


def is_allowed(day: date) -> bool:
    """Return whether a day or moment lies in the years 1900 to 2200."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def shifted(moment: datetime, step: timedelta) -> datetime | None:
    """Return `moment` plus `step`; None when that lies outside of the years 1900 to 2200."""
    try:
        found = moment + step
    except OverflowError:
        return None
    return found if is_allowed(found) else None


def later(day: Day, *, months: int) -> Day:
    """Return the same day some months later, or the last day of a month that is shorter.

    Raises ValueError when the calendar has no such month.
    """
    number = day.year * 12 + day.month - 1 + months
    year, month = divmod(number, 12)
    if not MINYEAR <= year <= MAXYEAR:
        raise ValueError("The calendar has no such month.")
    return day.replace(year=year, month=month + 1, day=min(day.day, monthrange(year, month + 1)[1]))
