"""The three kinds of due: a whole day, a floating local time, an instant with a zone.

A whole day (`2026-12-01`) and a floating time (`2026-12-01T09:00:00`) mean the same words on the wall in
every zone; an instant (`2026-12-01T09:00:00+01:00`) is one moment. All three sort by `due_at`: an instant as
it is, a floating time as if it were in UTC, a whole day at its end.
"""

import re
from datetime import UTC, date, datetime, time

from taskmanager.core.clock import DAY, HOUR_MINUTE, OFFSET, SECOND, milliseconds

FORM = rf"^{DAY}(?:T{HOUR_MINUTE}(?:{SECOND}(?:\.[0-9]{{1,6}})?)?(?:Z|{OFFSET})?)?$"
_FORM = re.compile(FORM)
_ZONED = re.compile(rf"T.*(?:Z|{OFFSET})$")


def is_floating(due: str) -> bool:
    """Whether it means the same words on the wall in every zone: a whole day or a local time."""
    return not _ZONED.search(due)


def due_at(due: str) -> datetime:
    """The moment by which `due` sorts, in UTC and whole milliseconds.

    Raises ValueError for what is none of the three, and for a day that the calendar does not have.
    """
    if not _FORM.fullmatch(due):
        raise ValueError("Not a date, a local time or a time with a zone that the calendar has.")
    if "T" not in due:
        return datetime.combine(date.fromisoformat(due), time(23, 59, 59, 999_000), tzinfo=UTC)
    moment = datetime.fromisoformat(due)
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
