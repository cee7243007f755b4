"""Sums of the counts of weeks, by weeks and days in a time zone."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Any

from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks.counts.slots import EDGE, INNER, Slot, slot_of

_WEEK = timedelta(weeks=1)
QUARTERS = {"hours": 4, "quarters": 1}  # in a slot


def begins_of(first_day: datetime, days: int) -> tuple[list[int], str]:
    """Return the numbers of the slots with which days begin, up to that after the last, and the unit of the slots.

    The unit is `hours` when all these days begin at an hour of UTC, else `quarters`.
    """
    slots = [slot_of(first_day + timedelta(days=number)) for number in range(days + 1)]
    unit = "quarters" if any(slot.quarter % 4 for slot in slots) else "hours"
    return [slot.number // QUARTERS[unit] for slot in slots], unit


def by_day(rows: Iterable[Row], name: str, begins: Sequence[int], unit: str) -> list[int]:
    """Return the sums before the first day, of each day, and after the last."""
    sums = [0] * (len(begins) + 1)
    for row in rows:
        first = Slot(row["week"], 0).number // QUARTERS[unit]
        for slot, number in row.get(name, {}).get(unit, {}).items():
            sums[bisect_right(begins, first + int(slot))] += number
    return sums


def by_week(rows: Iterable[Row], zone: tzinfo | None) -> dict[date, Row]:
    """Return the numbers of weeks by their Mondays: {created, completed, ms, hours: {hundredths: tasks}}."""
    weeks: dict[date, Row] = {}
    for row in rows:
        monday = Slot(row["week"], EDGE).begin.date()
        begin = slot_of(datetime.combine(monday, time(), zone)).quarter
        before, own = (weeks.setdefault(day, empty_week()) for day in (monday - _WEEK, monday))
        for slot, number in row.get("created", {}).get("week", {}).items():
            (own if _is_in(slot, begin) else before)["created"] += number
        for slot, numbers in row.get("completed", {}).items():
            _add(own if _is_in(slot, begin) else before, numbers)
    return weeks


def empty_week() -> Row:
    """Return the numbers of a week in which nothing happened."""
    return {"created": 0, "completed": 0, "ms": 0, "hours": {}}


def _is_in(slot: str, begin: int) -> bool:
    """Return whether a slot lies in the week that begins with the quarter `begin` of the week of UTC."""
    return slot == INNER or int(slot) >= begin


def _add(week: Row, numbers: dict[str, Any]) -> None:
    week["completed"] += numbers.get("tasks", 0)
    week["ms"] += numbers.get("ms", 0)
    hours = week["hours"]
    for name, number in numbers.get("hours", {}).items():
        hours[int(name)] = hours.get(int(name), 0) + number
