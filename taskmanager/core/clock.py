"""The one clock of all processes: the database's.

Processes run on machines whose clocks differ, and a clock may be set while they run. What one writes, such as when
something is due, others compare with their own time. So all go by the clock of the database's primary, which comes
with the signs of life that the driver asks for every few seconds (`core.database`) and is carried on in between by a
clock that is never set. A clock that differs by less than a second is left alone: machines whose time is kept agree
better with each other than this can be measured.

MongoDB keeps milliseconds, so does `now()`: what is answered is what is stored.
"""

import threading
import time
from calendar import monthrange
from collections import deque
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, timedelta
from typing import Any, TypeVar

Day = TypeVar("Day", date, datetime)

# The years that clients may name. Nothing that the service adds to a moment of them leaves the calendar.
FIRST_YEAR, LAST_YEAR = 1900, 2200
LAST = datetime(LAST_YEAR, 12, 31, tzinfo=UTC)

# Forms of days and times as regular expressions that mean the same to Python and to the OpenAPI document (which
# speaks ECMA-262): exact to the leap day, so that what the document allows is what is taken.
_YEAR = r"(?:(?:19|20|21)[0-9]{2}|2200)"
_LEAP_YEAR = r"(?:(?:19|20|21)(?:0[48]|[2468][048]|[13579][26])|2000)"
DAY = (
    rf"(?:{_YEAR}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rf"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
HOUR_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SECOND = r":[0-5][0-9]"
OFFSET = rf"[+-]{HOUR_MINUTE}"


_AGREE = timedelta(seconds=1)
_CLOCKS_DIFFER = timedelta(minutes=1)

# Tests travel in time by moving the clock of their own process: they set this to False, and no other code does.
follows_database = True
_lock = threading.Lock()  # several clients of one process hear their servers at once
_words: deque[tuple[datetime, float]] = deque(maxlen=8)
_heard: tuple[datetime, float] | None = None  # what the database's clock said, and when by `time.monotonic`


def observe(moment: datetime, *, of_another: bool = False) -> None:
    """Take in what the database's clock says at present; what a primary before this one said counts no more."""
    global _heard
    with _lock:
        if of_another:
            _words.clear()
        _words.append((moment, time.monotonic()))
        # a word that was read late makes the time seem earlier than it is: of the latest, the one that was read soonest
        _heard = max(_words, key=lambda word: word[0].timestamp() - word[1])


def ahead() -> timedelta | None:
    """Return how far this process's own clock is ahead of the database's; None before the first word of
    the database.
    """
    return _ahead_of(datetime.now(UTC))


def now() -> datetime:
    """Return the present moment in UTC by the database's clock, cut to whole milliseconds.

    By this process's own clock as long as the database was not heard.
    """
    own = datetime.now(UTC)
    skew = _ahead_of(own) if follows_database else None
    return milliseconds(own - skew if skew and abs(skew) > _AGREE else own)


def _ahead_of(own: datetime) -> timedelta | None:
    if _heard is None:
        return None
    moment, at = _heard
    return own - moment - timedelta(seconds=time.monotonic() - at)


def advanced(field: str, moment: datetime, *, by_ms: int = 0) -> dict[str, Any]:
    """Return the expression of an update: `moment`, or `by_ms` after what `field` holds where that is not earlier.

    So a stored time never runs backwards. One that is further ahead than clocks may differ came from a clock that was
    wrong: it ends here, and is not kept for ever.
    """
    stored = f"${field}"
    plausible = {"$lte": [stored, moment + _CLOCKS_DIFFER]}
    return {"$cond": [{"$and": [{"$gte": [stored, moment]}, plausible]}, {"$add": [stored, by_ms]}, moment]}


def milliseconds(moment: datetime) -> datetime:
    """Return the moment in UTC, cut to whole milliseconds."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """Return a UTC moment as `2026-12-01T09:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def is_allowed(day: date) -> bool:
    """Return whether a day or moment lies in the years 1900 to 2200."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def shifted(moment: datetime, step: timedelta) -> datetime | None:
    """Return a moment some time later; None when that lies outside of the years 1900 to 2200."""
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
