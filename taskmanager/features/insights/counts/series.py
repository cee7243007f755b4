"""Sums of the counts of weeks, by weeks and days in a time zone."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Any, NamedTuple

from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks.counts.slots import EDGE, Slot, slot_of

_WEEK = timedelta(weeks=1)
QUARTERS = {"hours": 4, "quarters": 1}  # in a slot


class Days(NamedTuple):
    """Consecutive days, as slots of the weeks of the counts.

    The unit of the slots is `hours` when all these days begin at an hour of UTC, else `quarters`. `places` has, by
    the number of a week, the place of each slot: 0 before the first day, 1 in it, and so on.
    """

    number: int
    unit: str
    places: Mapping[int, Sequence[int]]

    @classmethod
    def of(cls, first_day: datetime, number: int) -> "Days":
        """Return so many days."""
        begins = [slot_of(first_day + timedelta(days=day)) for day in range(number + 1)]
        unit = "quarters" if any(slot.quarter % 4 for slot in begins) else "hours"
        numbers = [slot.number // QUARTERS[unit] for slot in begins]
        size = Slot(1, 0).number // QUARTERS[unit]
        weeks = range(begins[0].week, begins[-1].week + 1)
        places = {
            week: array("H", [bisect_right(numbers, slot) for slot in range(week * size, (week + 1) * size)])
            for week in weeks
        }
        return cls(number, unit, places)


def by_day(rows: Iterable[Row], name: str, days: Days) -> list[int]:
    """Return the sums before the first day, of each day, and after the last; `rows` have no slots of earlier weeks."""
    sums = [0] * (days.number + 2)
    for row in rows:
        slots, places = row.get(name, {}).get(days.unit, {}), days.places.get(row["week"])
        if places is None:
            sums[-1] += sum(slots.values())
        else:
            for slot, number in slots.items():
                sums[places[int(slot)]] += number
    return sums


def by_week(rows: Iterable[Row], zone: tzinfo | None) -> dict[date, Row]:
    """Return the numbers of weeks by their Mondays: {created, completed, ms, hours: {hundredths, as text: tasks}}."""
    weeks: dict[date, Row] = {}
    for row in rows:
        monday, earlier = _edge(row["week"], zone)
        before, own = (weeks.setdefault(day, empty_week()) for day in (monday - _WEEK, monday))
        for slot, number in row.get("created", {}).get("week", {}).items():
            (before if slot in earlier else own)["created"] += number
        for slot, numbers in row.get("completed", {}).items():
            _add(before if slot in earlier else own, numbers)
    return weeks


def empty_week() -> Row:
    """Return the numbers of a week in which nothing happened."""
    return {"created": 0, "completed": 0, "ms": 0, "hours": {}}


@lru_cache(maxsize=1_000)
def _edge(week: int, zone: tzinfo | None) -> tuple[date, frozenset[str]]:
    """Return the Monday in a week of the counts, and the names of the slots that lie in the week before it."""
    monday = Slot(week, EDGE).begin.date()
    return monday, _names(slot_of(datetime.combine(monday, time(), zone)).quarter)


@lru_cache(maxsize=EDGE + 1)
def _names(number: int) -> frozenset[str]:
    """Return the names of the first quarters of a week."""
    return frozenset(map(str, range(number)))


def _add(week: Row, numbers: dict[str, Any]) -> None:
    week["completed"] += numbers.get("tasks", 0)
    week["ms"] += numbers.get("ms", 0)
    hours = week["hours"]
    for name, number in numbers.get("hours", {}).items():
        hours[name] = hours.get(name, 0) + number
