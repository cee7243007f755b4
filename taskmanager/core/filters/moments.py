"""Kinds of fields for moments: instants and days."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from taskmanager.core.clock import DAY, HOUR_MINUTE, OFFSET, SECOND, later, now
from taskmanager.core.filters.kinds import MONGO, NULLABLE, ORDERED, presence
from taskmanager.core.filters.nodes import Value
from taskmanager.core.storage.orders import Filter

_MOMENT = re.compile(
    rf"(?:(?P<now>now)|(?P<today>today)|(?P<day>{DAY})(?P<time>T{HOUR_MINUTE}(?:{SECOND})?(?:Z|{OFFSET})?)?)"
    r"(?P<shifts>(?:[+-][0-9]{1,4}[mhdwMy])*)(?:/(?P<unit>[dwMy]))?"
)
_SHIFT = re.compile(r"([+-][0-9]{1,4})([mhdwMy])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_MIN_YEAR, _MAX_YEAR = 100, 9000  # of a shifted moment: far enough from both ends of `datetime`


_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)


class MomentKind:
    """An instant: `2026-12-01T09:00Z`, `now+2h`; or an interval: `2026-12-01`, `today-1d`, `now/w`.

    `=` matches when the stored instant lies in the interval; `<` before it, `<=` not after it, and so on. A time
    without a zone is in the zone of the actor; a week begins on Monday. Values are pairs (first instant, first
    instant after the interval); the second is None for an instant.
    """

    operators = ORDERED | NULLABLE
    lowest: datetime | None = _EARLIEST

    def read(self, text: str) -> Value:
        match = _MOMENT.fullmatch(text)
        if match is None:
            raise ValueError("must be a day, a time, or like now, today, now+7d, today/w.")
        try:  # so that a moment outside of the calendar is refused here
            _interval(match, now())
        except (OverflowError, ValueError):
            raise ValueError("is off the calendar.") from None
        return lambda context: _interval(match, context.now)

    def query(self, stored: str, operator: str, values: list[Any]) -> Filter:
        if operator in NULLABLE:
            return presence(stored, operator, self.lowest)
        if operator in ("!=", "not in"):
            return {"$nor": [self._within(stored, *value) for value in values]}
        if operator in ("=", "in"):
            return {"$or": [self._within(stored, *value) for value in values]}
        first, following = values[0]
        if following is None or operator in ("<", ">="):
            return {stored: {MONGO[operator]: first}}
        return {stored: {"$lt" if operator == "<=" else "$gte": following}}

    def _within(self, stored: str, first: datetime | str, following: datetime | str | None) -> Filter:
        return {stored: {"$eq": first} if following is None else {"$gte": first, "$lt": following}}


class DayKind(MomentKind):
    """A day of the calendar, stored as `2026-12-01`; an interval of days works as an interval of time."""

    lowest = None

    def read(self, text: str) -> Value:
        match = _MOMENT.fullmatch(text)
        if match is None or match["time"] or re.search("[mh]", match["shifts"]):
            raise ValueError("must be a day, such as 2026-12-01, today, today+7d, today/w.")
        interval = super().read(text)
        return lambda context: _days(*interval(context))


def _days(first: datetime, following: datetime | None) -> tuple[str, str]:
    return first.date().isoformat(), (following or _end(first, "d")).date().isoformat()


def _interval(match: re.Match[str], now: datetime) -> tuple[datetime, datetime | None]:
    start = _base(match, now)
    for amount, unit in _SHIFT.findall(match["shifts"]):
        start = _shifted(start, int(amount), unit)
    if not _MIN_YEAR <= start.year <= _MAX_YEAR:
        raise OverflowError
    whole_days = not (match["now"] or match["time"]) and not re.search("[mh]", match["shifts"])
    unit = match["unit"] or ("d" if whole_days else None)
    return (_begin(start, unit), _end(start, unit)) if unit else (_milliseconds(start), None)


def _shifted(moment: datetime, amount: int, unit: str) -> datetime:
    """Return `moment` plus `amount` units: days, weeks, months and years in local time, hours and minutes in UTC.

    In a month without this day the result is its last day.
    """
    if unit in "My":
        return later(moment, months=amount * (12 if unit == "y" else 1))
    step = timedelta(**{_UNITS[unit]: amount})
    return moment + step if unit in "dw" else (moment.astimezone(UTC) + step).astimezone(moment.tzinfo)


def _milliseconds(moment: datetime) -> datetime:
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def _base(match: re.Match[str], now: datetime) -> datetime:
    if match["now"]:
        return now
    if match["today"]:
        return _begin(now, "d")
    if not match["time"]:
        return datetime.combine(date.fromisoformat(match["day"]), time(), tzinfo=now.tzinfo)
    moment = datetime.fromisoformat(match["day"] + match["time"])
    return moment.astimezone(now.tzinfo) if moment.tzinfo else moment.replace(tzinfo=now.tzinfo)


def _begin(moment: datetime, unit: str) -> datetime:
    """Return the first instant of the day, week, month or year that `moment` lies in."""
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if unit == "w":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1 if unit in "My" else day.day, month=1 if unit == "y" else day.month)


def _end(moment: datetime, unit: str) -> datetime:
    """Return the first instant after the day, week, month or year that `moment` lies in."""
    longer = {"d": 1, "w": 7, "M": 31, "y": 366}[unit]
    begin = _begin(moment, unit)
    return begin + timedelta(days=longer) if unit in "dw" else _begin(begin + timedelta(days=longer), unit)
