"""The one clock. MongoDB keeps milliseconds, so does `now()`: what is answered is what is stored."""

from datetime import UTC, datetime, timedelta
from typing import Any

# Forms of days and times as regular expressions that mean the same to Python and to the OpenAPI document (which
# speaks ECMA-262): exact to the leap day, so that what the document allows is what is taken. The first and the
# last day of the calendar are left out, so that no zone can carry a moment off it.
_LEAP_YEAR = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
DAY = (
    r"(?!0000|0001-01-01|9999-12-31)(?:[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
    rf"|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|{_LEAP_YEAR}-02-29)"
)
HOUR_MINUTE = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
SECOND = r":[0-5][0-9]"
OFFSET = rf"[+-]{HOUR_MINUTE}"


_CLOCKS_DIFFER = timedelta(minutes=1)


def now() -> datetime:
    """The present moment in UTC, cut to whole milliseconds."""
    return milliseconds(datetime.now(UTC))


def advanced(field: str, moment: datetime, *, by_ms: int = 0) -> dict[str, Any]:
    """The expression of an update: `moment`, or `by_ms` after what `field` holds where that is not earlier.

    So a stored time never runs backwards. One that is further ahead than clocks may differ came from a clock that was
    wrong: it ends here, and is not kept for ever.
    """
    stored = f"${field}"
    plausible = {"$lte": [stored, moment + _CLOCKS_DIFFER]}
    return {"$cond": [{"$and": [{"$gte": [stored, moment]}, plausible]}, {"$add": [stored, by_ms]}, moment]}


def milliseconds(moment: datetime) -> datetime:
    """The moment in UTC, cut to whole milliseconds."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def iso(moment: datetime) -> str:
    """A UTC moment as `2026-12-01T09:00:00.000Z`."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"
