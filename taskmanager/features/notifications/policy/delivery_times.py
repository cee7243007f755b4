"""The times of quiet hours and digests, by the clock of the user."""

from datetime import UTC, datetime, time, timedelta

from taskmanager.core.zones import zone
from taskmanager.features.notifications.models import WEEKDAYS

_DAY = timedelta(days=1)


def after_quiet(moment: datetime, quiet_from: str | None, quiet_to: str | None, timezone: str) -> datetime:
    """Return `moment`, or the end of the quiet hours that it falls into.

    Quiet hours (`HH:MM` each) may span midnight; two equal times mean none.
    """
    if not quiet_from or not quiet_to or quiet_from == quiet_to:
        return moment
    wall = moment.astimezone(zone(timezone))
    begins, ends, now = time.fromisoformat(quiet_from), time.fromisoformat(quiet_to), wall.time()
    over_midnight = begins > ends
    quiet = (now >= begins or now < ends) if over_midnight else begins <= now < ends
    if not quiet:
        return moment
    day = wall.date() + (_DAY if over_midnight and now >= begins else timedelta())
    # an hour that occurs twice: the one that the moment is in
    return max(moment, datetime.combine(day, ends, zone(timezone)).replace(fold=wall.fold).astimezone(UTC))


def next_digest(moment: datetime, digest: str, at: str, on: str, timezone: str) -> datetime:
    """Return the time of the next digest after `moment`: daily, or weekly `on` a weekday, `at` a time (`HH:MM`)."""
    local = zone(timezone)
    wall = moment.astimezone(local)
    day = wall.date()
    while True:
        due = datetime.combine(day, time.fromisoformat(at), local).astimezone(UTC)
        if due > moment and (digest == "daily" or WEEKDAYS[day.weekday()] == on):
            return due
        day += _DAY
