"""The parsed form of a line of quick add, before names are looked up."""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from taskmanager.core.zones import zone
from taskmanager.features.tasks.recurrence.rules import parse


@dataclass
class ParsedTask:
    """The values of a line. Days and times are in the time zone of the account."""

    title: str = ""
    project: str | None = None
    labels: list[str] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    priority: str | None = None
    estimate_minutes: int | None = None
    recurrence: str | None = None
    from_completion: bool = False
    day: date | None = None
    clock: time | None = None

    def due(self, now: datetime) -> str | None:
        """Return the due: a whole day, or a time with the offset of `now`; None without day, time and rule."""
        day = self.day
        if self.recurrence:
            day = self.first(now)
        elif day is None and self.clock is not None:
            day = now.date() if self.clock > now.time() else now.date() + timedelta(days=1)
        if day is None:
            return None
        return datetime.combine(day, self.clock, now.tzinfo).isoformat() if self.clock else day.isoformat()

    def first(self, now: datetime) -> date | None:
        """Return the first day of the rule from the given day or today on; None when there is none.

        An interval counts from that day: "every other Monday" begins on the next Monday.
        """
        begin = self.day or now.date()
        start = datetime.combine(begin, self.clock or time())
        before = start - timedelta(days=1)
        if self.clock and self.day is None and start <= now.replace(tzinfo=None):
            before = start
        rule = re.sub(";INTERVAL=[0-9]+", "", self.recurrence or "")
        found = parse(rule).next(start, before, zone(None))
        return found and found.date()
