"""The time slots of the counts: weeks of UTC, and hours and quarters of an hour in them.

The days of every time zone begin at a quarter of an hour of UTC, and the days of most at an hour. A week of the counts
begins at the earliest moment at which Monday begins anywhere (UTC+14), so that its first EDGE quarters are those in
which a week of some zone begins; all later ones lie in the same week everywhere.
"""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

_FIRST = datetime(1970, 1, 4, 10, tzinfo=UTC)  # a Sunday: Monday begins at UTC+14
_QUARTER, _WEEK = timedelta(minutes=15), timedelta(weeks=1)
EDGE = 26 * 4  # quarters from Monday at UTC+14 to Monday at UTC-12
INNER = "inner"  # the slot of all other quarters


class Slot(NamedTuple):
    """A quarter of an hour: the number of its week, and its number in the week."""

    week: int
    quarter: int

    @property
    def begin(self) -> datetime:
        """Return its first moment, in UTC."""
        return _FIRST + self.week * _WEEK + self.quarter * _QUARTER

    @property
    def number(self) -> int:
        """Return its number among the quarters of all weeks."""
        return self.week * (_WEEK // _QUARTER) + self.quarter

    @property
    def of_week(self) -> str:
        """Return the name of the slot that weeks of all zones need."""
        return str(self.quarter) if self.quarter < EDGE else INNER


def slot_of(moment: datetime) -> Slot:
    """Return the slot that a moment lies in."""
    quarter = (moment - _FIRST) // _QUARTER
    return Slot(*divmod(quarter, _WEEK // _QUARTER))
