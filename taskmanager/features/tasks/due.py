"""The three kinds of due: a whole day, a floating local time, an instant with a zone.

A whole day (`2026-12-01`) and a floating time (`2026-12-01T09:00:00`) mean the same words on the wall in
every zone; an instant (`2026-12-01T09:00:00+01:00`) is one moment. All three sort by `due_at`: an instant as
it is, a floating time as if it were in UTC, a whole day at its end.
"""

import re
from datetime import UTC, date, datetime, time

_FORM = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def due_at(due: str) -> datetime:
    """The moment by which `due` sorts, in UTC and whole milliseconds.

    Raises ValueError for what is none of the three.
    """
    if not _FORM.fullmatch(due):
        raise ValueError("Not a date, a local time or a time with a zone.")
    if "T" not in due:
        moment = datetime.combine(date.fromisoformat(due), time(23, 59, 59, 999_000), tzinfo=UTC)
    else:
        moment = datetime.fromisoformat(due)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not _EARLIEST <= moment <= _LATEST:  # so that no zone can carry it off the calendar
        raise ValueError("Outside of the years that can be kept.")
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
