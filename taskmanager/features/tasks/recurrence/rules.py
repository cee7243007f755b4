"""When a task comes again: rules by RFC 5545 (RRULE), on the calendar and the clock of a zone.

Rules are evaluated by python-dateutil on times without a zone, so that "every day at nine" stays at nine when summer
time begins. Which parts a rule may have is limited here, so that no rule costs more than some milliseconds.
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
# Which parts go with which frequency. What is left out is what would make rules that are dear or hard to foresee.
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
# The calendar repeats every 400 years (146,097 days, whole weeks): rules are evaluated in the last years there are, so
# that a search that would find nothing, such as for the 30th of February, ends after at most 400 years.
_CYCLE = 400


@dataclass(frozen=True)
class Rule:
    """A rule in its parts. `count` is how many occurrences there are, with the present one."""

    parts: tuple[tuple[str, str], ...]  # but COUNT and UNTIL
    count: int | None = None
    until: datetime | None = None  # on the clock of the zone, or in UTC where `until_utc`
    until_utc: bool = False

    def text(self) -> str:
        """Return the rule as it is stored."""
        parts = list(self.parts)
        if self.count is not None:
            parts.append(("COUNT", str(self.count)))
        if self.until is not None:
            parts.append(("UNTIL", f"{self.until:%Y%m%dT%H%M%S}" + ("Z" if self.until_utc else "")))
        return ";".join(f"{name}={value}" for name, value in parts)

    def counted(self) -> "Rule | None":
        """Return the rule for what follows the present occurrence; None when that was the last."""
        if self.count is None:
            return self
        return replace(self, count=self.count - 1) if self.count > 1 else None

    def next(self, start: datetime, after: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first occurrence after `after` of the rule that begins at `start`; all on the clock of the zone.

        None when there is none.
        """
        return next(self.upcoming(start, after, zone), None)

    def upcoming(self, start: datetime, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the occurrences after `after`, in order, from one walk that begins near `after`, not at `start`.

        The walk ends at the end of the calendar, at most 400 years (146,097 days) later.
        """
        begin = self._jumped(start, after)
        shift = (9999 - max(begin.year, after.year, LAST_YEAR)) // _CYCLE * _CYCLE
        walk = rrulestr(self._explicit(start), dtstart=begin.replace(year=begin.year + shift))
        for found in walk.xafter(after.replace(year=after.year + shift)):
            moment = found.replace(year=found.year - shift)
            if self._is_over(moment, zone):
                return
            yield moment

    def _jumped(self, start: datetime, after: datetime) -> datetime:
        """Return the beginning of the latest period of the rule that begins at `start` and is not after `after`."""
        parts = dict(self.parts)
        interval = int(parts.get("INTERVAL", 1))
        return _JUMPS[parts["FREQ"]](start, after, interval) if after > start else start

    def _explicit(self, start: datetime) -> str:
        """Return the rule with the day that it takes from its start (RFC 5545, 3.3.10), as the walk
        begins elsewhere.
        """
        parts = dict(self.parts)
        if parts["FREQ"] in ("MONTHLY", "YEARLY") and not parts.keys() & {"BYDAY", "BYMONTHDAY"}:
            parts["BYMONTHDAY"] = str(start.day)
            if parts["FREQ"] == "YEARLY":
                parts.setdefault("BYMONTH", str(start.month))
        return ";".join(f"{name}={value}" for name, value in parts.items())

    def check_until(self) -> None:
        """Raise ValueError unless UNTIL lies in the years that clients may name."""
        if self.until is not None and not is_allowed(self.until):
            raise ValueError(f"UNTIL must be in the years {FIRST_YEAR} to {LAST_YEAR}.")

    def _is_over(self, moment: datetime, zone: ZoneInfo) -> bool:
        if self.until is None or moment.year > LAST_YEAR:
            return moment.year > LAST_YEAR
        here = moment.replace(tzinfo=zone).astimezone(UTC).replace(tzinfo=None) if self.until_utc else moment
        return here > self.until


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
    """Return the rule in a text such as `FREQ=MONTHLY;BYMONTHDAY=1`. Raises ValueError with what is wrong."""
    parts = _split(text)
    freq = parts.get("FREQ", "")
    if freq not in _PARTS:
        raise ValueError(f"FREQ must be one of {', '.join(_PARTS)}.")
    if unknown := parts.keys() - _ALWAYS - _PARTS[freq]:
        raise ValueError(f"{min(unknown)} cannot stand in a rule with FREQ={freq}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL do not go together.")
    count = _number("COUNT", parts["COUNT"], _MAX_COUNT) if "COUNT" in parts else None
    for name, check in _CHECKS.items():
        if name in parts:
            check(name, parts[name], freq)
    if "BYSETPOS" in parts and not parts.keys() & {"BYDAY", "BYMONTHDAY"}:
        raise ValueError("BYSETPOS chooses among BYDAY or BYMONTHDAY.")
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
            raise ValueError(f"{part[:50]!r} is no part of a rule, or stands there twice.")
        parts[name] = value
    return parts


def _number(name: str, text: str, most: int) -> int:
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= most:
        raise ValueError(f"{name} must be from 1 to {most}.")
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
            raise ValueError(f"{value[:20]!r} cannot stand in {name} of this rule.")


def _check_numbers(name: str, text: str, freq: str) -> None:
    lowest = 1 if name == "BYMONTH" else -_NUMBERS[name]
    for value in _values(name, text):
        if not re.fullmatch("[+-]?[0-9]{1,2}", value) or not lowest <= int(value) <= _NUMBERS[name] or int(value) == 0:
            raise ValueError(f"{value[:20]!r} cannot stand in {name}.")


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
        return datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S"), text.endswith("Z")  # noqa: DTZ007 on the wall
    except ValueError:
        raise ValueError("UNTIL is off the calendar.") from None


@dataclass(frozen=True)
class Wall:
    """A due as a time on the clock of a zone, and how to write another like it."""

    moment: datetime  # without a zone
    kind: str  # day, floating or zoned
    zone: ZoneInfo | None  # of a zoned one; None where only its offset is known
    offset: timedelta | None = None

    @classmethod
    def of(cls, due: str, zone: ZoneInfo | None) -> "Wall":
        """Return from a due; `zone` is that of a zoned one, None when it has an offset only.

        UTC is the zone of accounts that have set none: a due with another offset stays on the clock of its offset.
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
        """Return the due at another time on the clock. One that a change of the clock leaves out is that much later."""
        if self.kind == "day":
            return moment.date().isoformat()
        if self.kind == "floating":
            return moment.isoformat()
        if self.zone is None:
            return moment.isoformat() + _offset(self.offset)
        # by way of UTC, which shows a time that the clock leaves out as RFC 5545 (3.3.5) wants it
        return moment.replace(tzinfo=self.zone).astimezone(UTC).astimezone(self.zone).isoformat()

    def now(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """Return what the clock shows at a moment: in the zone of the due, or for one on the wall in `zone`."""
        if self.kind == "zoned" and self.zone is None:
            return moment.astimezone(UTC).replace(tzinfo=None) + (self.offset or timedelta())
        return moment.astimezone(self.zone or zone).replace(tzinfo=None)


def _offset(offset: timedelta | None) -> str:
    minutes = round((offset or timedelta()).total_seconds() / 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
