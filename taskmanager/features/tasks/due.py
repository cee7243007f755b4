"""The three kinds of due: a whole day, a floating local time, an instant with a zone.

A whole day (`2026-12-01`) and a floating time (`2026-12-01T09:00:00`) are in the time zone of the project; a whole day
is due at its end. An instant (`2026-12-01T09:00:00+01:00`) is one moment. All three are sorted by `due_at`.
"""

import re
from datetime import UTC, date, datetime, time

from taskmanager.core.clock import DAY, HOUR_MINUTE, OFFSET, SECOND, milliseconds
from taskmanager.core.zones import zone

FORM = rf"^{DAY}(?:T{HOUR_MINUTE}(?:{SECOND}(?:\.[0-9]{{1,6}})?)?(?:Z|{OFFSET})?)?$"
_ZONED = re.compile(rf"T.*(?:Z|{OFFSET})$")


def is_floating(due: str) -> bool:
    """Return whether `due` has no zone: a whole day or a local time."""
    return not _ZONED.search(due)


def due_at(due: str, timezone: str | None) -> datetime:
    """Return the moment by which `due` is sorted, in UTC and whole milliseconds.

    `due` must match FORM; `timezone` is the time zone of a whole day or a floating time.
    """
    if "T" not in due:
        return datetime.combine(date.fromisoformat(due), time(23, 59, 59, 999_000), zone(timezone)).astimezone(UTC)
    moment = datetime.fromisoformat(due)
    return milliseconds(moment if moment.tzinfo else moment.replace(tzinfo=zone(timezone)))
