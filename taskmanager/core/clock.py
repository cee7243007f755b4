"""The one clock. MongoDB keeps milliseconds, so does `now()`: what is answered is what is stored."""

from datetime import UTC, datetime


def now() -> datetime:
    """The present moment in UTC, cut to whole milliseconds."""
    moment = datetime.now(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
