"""Recurrence rules (RRULE of RFC 5545), evaluated in local time of a zone.

Rules are evaluated by python-dateutil on times without a zone, so that "every day at nine" stays at nine when summer
time begins. The parts that a rule may have are limited, so that no rule costs more than some milliseconds.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from taskmanager.core.clock import FIRST_YEAR, LAST_YEAR, is_allowed
from taskmanager.core.zones import DEFAULT
from taskmanager.features.tasks.models import MAX_RULE_CHARACTERS

_MAX_COUNT, _MAX_INTERVAL, _MAX_VALUES = 1000, 999, 40
_DAYS = {"MO", "TU", "WE", "TH", "FR", "SA", "SU"}
# The parts that each frequency allows. Parts that would make rules expensive or hard to predict are not allowed.
_PARTS = {
    "DAILY": {"BYDAY", "BYMONTH"},
    "WEEKLY": {"BYDAY", "BYMONTH"},
    "MONTHLY": {"BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"},
    "YEARLY": {"BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS"},
}
_ALWAYS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST"}
_NUMBERS = {"BYMONTHDAY": 31, "BYMONTH": 12, "BYSETPOS": 5}
_UNTIL = re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?")
_BYDAY = re.compile(r"([+-]?[1-5])?([A-Z]{2})")
# The calendar repeats every 400 years (146,097 days, whole weeks): rules are evaluated in the last years of `datetime`,
# so that a search without result, such as for the 30th of February, ends after at most 400 years.
_CYCLE = 400


@dataclass(frozen=True)
class Rule:
    """A parsed rule. `count` is the number of occurrences, including the current one."""

    parts: tuple[tuple[str, str], ...]  # without COUNT and UNTIL
    count: int | None = None
    until: datetime | None = None  # local time of the zone, or UTC if `until_utc`
    until_utc: bool = False

    def text(self) -> str:
        """Return the rule as text, in the stored form."""
        parts = list(self.parts)
        if self.count is not None:
            parts.append(("COUNT", str(self.count)))
        if self.until is not None:
            parts.append(("UNTIL", f"{self.until:%Y%m%dT%H%M%S}" + ("Z" if self.until_utc else "")))
        return ";".join(f"{name}={value}" for name, value in parts)

    def counted(self) -> "Rule | None":
        """Return the rule for the next occurrence, with a lower COUNT; None when the current one was the last."""
        if self.count is None:
            return self
        return replace(self, count=self.count - 1) if self.count > 1 else None

    def next(self, start: datetime, after: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first occurrence after `after` of the rule that begins at `start`; None when there is none.

        All times are local times of the zone, without tzinfo.
        """
        return next(self.upcoming(start, after, zone), None)

    def upcoming(self, start: datetime, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the occurrences after `after`, in order, with one iteration that begins near `after`, not at `start`.

        The iteration ends at the end of the calendar, at most 400 years (146,097 days) later.
        """
        begin = self._period_start(start, after)
        shift = (9999 - max(begin.year, after.year, LAST_YEAR)) // _CYCLE * _CYCLE
        occurrences = rrulestr(self._explicit(start), dtstart=begin.replace(year=begin.year + shift))
        for found in occurrences.xafter(after.replace(year=after.year + shift)):
            moment = found.replace(year=found.year - shift)
            if self._is_over(moment, zone):
                return
            yield moment

    def _period_start(self, start: datetime, after: datetime) -> datetime:
        """Return the beginning of the latest period of the rule that begins at `start` and is not after `after`."""
        parts = dict(self.parts)
        interval = int(parts.get("INTERVAL", 1))
        return _JUMPS[parts["FREQ"]](start, after, interval) if after > start else start

    def _explicit(self, start: datetime) -> str:
        """Return the rule with the day that it takes from its start (RFC 5545, 3.3.10), as the iteration does not
        begin there.
        """
        parts = dict(self.parts)
        if parts["FREQ"] in ("MONTHLY", "YEARLY") and not parts.keys() & {"BYDAY", "BYMONTHDAY"}:
            parts["BYMONTHDAY"] = str(start.day)
            if parts["FREQ"] == "YEARLY":
                parts.setdefault("BYMONTH", str(start.month))
        return ";".join(f"{name}={value}" for name, value in parts.items())

    def check_until(self) -> None:
        """Raise ValueError unless UNTIL is in the range of years that requests may use."""
        if self.until is not None and not is_allowed(self.until):
            raise ValueError(f"UNTIL must be in the years {FIRST_YEAR} to {LAST_YEAR}.")

    def _is_over(self, moment: datetime, zone: ZoneInfo) -> bool:
        if self.until is None or moment.year > LAST_YEAR:
            return moment.year > LAST_YEAR
        if self.until_utc:
            moment = moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None)
        return moment > self.until


def _jump_days(days: int) -> Callable[[datetime, datetime, int], datetime]:
    def jump(start: datetime, after: datetime, interval: int) -> datetime:
        period = days * interval
        return start + timedelta(days=(after - start).days // period * period)

    return jump


def _jump_months(start: datetime, after: datetime, interval: int) -> datetime:
    months = (after.year - start.year) * 12 + after.month - start.month
    month = start.year * 12 + start.month - 1 + months // interval * interval
    return start.replace(year=month // 12, month=month % 12 + 1, day=1) if months >= interval else start


def _jump_years(start: datetime, after: datetime, interval: int) -> datetime:
    years = (after.year - start.year) // interval * interval
    return start.replace(year=start.year + years, month=1, day=1) if years else start


_JUMPS = {"DAILY": _jump_days(1), "WEEKLY": _jump_days(7), "MONTHLY": _jump_months, "YEARLY": _jump_years}


def parse(text: str) -> Rule:
    """Return the rule of a text such as `FREQ=MONTHLY;BYMONTHDAY=1`. Raises ValueError with the reason."""
    parts = _split(text)
    freq = parts.get("FREQ", "")
    if freq not in _PARTS:
        raise ValueError(f"FREQ must be one of {', '.join(_PARTS)}.")
    if unknown := parts.keys() - _ALWAYS - _PARTS[freq]:
        raise ValueError(f"{min(unknown)} is not allowed in a rule with FREQ={freq}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other.")
    count = _number("COUNT", parts["COUNT"], _MAX_COUNT) if "COUNT" in parts else None
    for name, check in _CHECKS.items():
        if name in parts:
            check(name, parts[name], freq)
    if "BYSETPOS" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY"}:
        raise ValueError("BYSETPOS needs BYDAY or BYMONTHDAY.")
    rest = tuple((name, value) for name, value in parts.items() if name not in ("COUNT", "UNTIL"))
    return Rule(rest, count, *_until(parts.get("UNTIL")))


def _split(text: str) -> dict[str, str]:
    text = text.strip().upper().removeprefix("RRULE:")
    if len(text) > MAX_RULE_CHARACTERS:
        raise ValueError(f"A rule has at most {MAX_RULE_CHARACTERS} characters.")
    parts: dict[str, str] = {}
    for part in text.split(";"):
        name, equals, value = part.partition("=")
        if not equals or not re.fullmatch("[A-Z]+", name) or not re.fullmatch("[0-9A-Z,+-]+", value) or name in parts:
            raise ValueError(f"{part[:50]!r} is not a part of a rule, or is given twice.")
        parts[name] = value
    return parts


def _number(name: str, text: str, maximum: int) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= maximum:
        raise ValueError(f"{name} must be from 1 to {maximum}.")
    return int(text)


def _check_interval(name: str, text: str, freq: str) -> None:
    _number(name, text, _MAX_INTERVAL)


def _check_week(name: str, text: str, freq: str) -> None:
    if text not in _DAYS:
        raise ValueError(f"{name} must be one of {', '.join(sorted(_DAYS))}.")


def _check_days(name: str, text: str, freq: str) -> None:
    for value in _values(name, text):
        match = _BYDAY.fullmatch(value)
        if not match or match[2] not in _DAYS or (match[1] and freq not in ("MONTHLY", "YEARLY")):
            raise ValueError(f"{value[:20]!r} is not allowed in {name} of this rule.")


def _check_numbers(name: str, text: str, freq: str) -> None:
    minimum = 1 if name == "BYMONTH" else -_NUMBERS[name]
    for value in _values(name, text):
        if not re.fullmatch("[+-]?[0-9]{1,2}", value) or not minimum <= int(value) <= _NUMBERS[name] or int(value) == 0:
            raise ValueError(f"{value[:20]!r} is not allowed in {name}.")


def _values(name: str, text: str) -> list[str]:
    values = text.split(",")
    if len(values) > _MAX_VALUES:
        raise ValueError(f"{name} has at most {_MAX_VALUES} values.")
    return values


_CHECKS = {
    "INTERVAL": _check_interval,
    "WKST": _check_week,
    "BYDAY": _check_days,
    "BYMONTHDAY": _check_numbers,
    "BYMONTH": _check_numbers,
    "BYSETPOS": _check_numbers,
}


def _until(text: str | None) -> tuple[datetime | None, bool]:
    if text is None:
        return None, False
    if not _UNTIL.fullmatch(text):
        raise ValueError("UNTIL must be like 20261231 or 20261231T090000Z.")
    try:
        if "T" not in text:
            return datetime.combine(date.fromisoformat(text), time(23, 59, 59)), False
        return datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S"), text.endswith("Z")  # noqa: DTZ007 local time
    except ValueError:
        raise ValueError("UNTIL is not a date of the calendar.") from None


@dataclass(frozen=True)
class Wall:
    """A due as a local time of a zone, and the way to write another due of the same kind."""

    moment: datetime  # without a zone
    kind: str  # day, floating or zoned
    zone: ZoneInfo | None  # of a zoned due; None if only its offset is known
    offset: timedelta | None = None

    @classmethod
    def of(cls, due: str, zone: ZoneInfo | None) -> "Wall":
        """Return the local time of a due; `zone` is that of a zoned due, None when it has an offset only.

        UTC is the zone of accounts without a time zone: a due with another offset keeps its offset.
        """
        moment = datetime.fromisoformat(due)
        if "T" not in due:
            return cls(moment, "day", None)
        if moment.tzinfo is None:
            return cls(moment, "floating", None)
        if zone is not None and (zone.key != DEFAULT or not moment.utcoffset()):
            return cls(moment.astimezone(zone).replace(tzinfo=None), "zoned", zone)
        return cls(moment.replace(tzinfo=None), "zoned", None, moment.utcoffset())

    def like(self, moment: datetime) -> str:
        """Return the due at another local time, which is shifted when a change of the clock skips it."""
        if self.kind == "day":
            return moment.date().isoformat()
        if self.kind == "floating":
            return moment.isoformat()
        if self.zone is None:
            return moment.isoformat() + _offset(self.offset)
        # through UTC, which shifts a skipped local time as RFC 5545 (3.3.5) requires
        return moment.replace(tzinfo=self.zone).astimezone(UTC).astimezone(self.zone).isoformat()

    def now(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return the local time of a moment in the zone or offset of the due, or in `zone` if the due has none."""
        if self.kind == "zoned" and self.zone is None:
            return moment.astimezone(UTC).replace(tzinfo=None) + (self.offset or timedelta())
        return moment.astimezone(self.zone or zone).replace(tzinfo=None)


def _offset(offset: timedelta | None) -> str:
    minutes = round((offset or timedelta()).total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
