"""Days and times of quick add: `tomorrow evening`, `next friday`, `24 december`, `in 2 hours`, `2pm-4pm`."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from taskmanager.core.clock import is_allowed
from taskmanager.features.quick_add.vocabulary import (
    DAY,
    MONTH,
    NUMBER,
    SHORT_DAY,
    UNIT,
    Found,
    Phrase,
    after,
    day_number,
    month_number,
    number,
    phrase,
)

PARTS_OF_DAY = {"morning": time(9), "noon": time(12), "afternoon": time(15), "evening": time(19), "night": time(22)}
_ON = r"(?:(?:on|by)\s+)?"
_DATE_DAY = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:,?\s+(?P<year>[0-9]{4}))?"
_CLOCK = r"[0-9]{1,2}(?::[0-5][0-9])?(?:\s?[ap]m)?"


def _day(pattern: str, find: Callable[[re.Match[str], date], date], **more: Any) -> Phrase:
    def read(match: re.Match[str], today: date) -> dict[str, Any]:
        day = find(match, today)
        if not is_allowed(day):
            raise ValueError("a day out of the allowed years")
        return {"day": day} | more

    return phrase("day", pattern, read)


def _coming(word: str, today: date) -> date:
    """Return the next day with this name after today."""
    return today + timedelta(days=(day_number(word) - today.weekday() - 1) % 7 + 1)


def _of_next_week(word: str, today: date) -> date:
    return _coming("monday", today) + timedelta(days=day_number(word))


def _of_month(day: int, today: date) -> date:
    """Return the next date with this day of the month, from today on. Raises ValueError."""
    for months in range(3):
        first = after(today.replace(day=1), months, "month")
        try:
            found = first.replace(day=day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError("there is no such day")


def _month_end(today: date, months: int = 0) -> date:
    return after(today.replace(day=1), months + 1, "month") - timedelta(days=1)


def _of_year(match: re.Match[str], today: date) -> date:
    """Return the date in the given year, or else the next such date from today on. Raises ValueError."""
    day, month = int(match["day"]), match["month"]
    month = int(month) if month.isdigit() else month_number(month)
    if match["year"]:
        return date(int(match["year"]), month, day)
    for year in range(today.year, today.year + 9):  # the 29th of February may be eight years away
        try:
            found = date(year, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError("there is no such day")


def _some(match: re.Match[str], today: date) -> date:
    return after(today, 1 if match["one"] else number(match["number"]), match["unit"])


_SOME = rf"(?:(?P<one>an?|one)|{NUMBER})\s+{UNIT}"
DAYS: tuple[Phrase, ...] = (
    _day(rf"{_ON}today", lambda match, today: today),
    _day(rf"{_ON}tomorrow", lambda match, today: today + timedelta(days=1)),
    _day(rf"{_ON}(?:the\s+)?day\s+after\s+tomorrow", lambda match, today: today + timedelta(days=2)),
    _day(r"next\s+week", lambda match, today: _coming("monday", today)),
    _day(r"next\s+(?P<unit>month|year)", lambda match, today: after(today, 1, match["unit"])),
    _day(rf"in\s+{_SOME}", _some),
    _day(rf"{_SOME}\s+from\s+(?:now|today)", _some),
    _day(
        rf"(?:on|by|next|this)\s+(?P<name>{SHORT_DAY})",
        lambda match, today: _coming(match["name"], today),
        weekday=True,
    ),
    _day(rf"(?P<name>{DAY})", lambda match, today: _coming(match["name"], today), weekday=True),
    _day(
        rf"{_ON}(?:(?P<name>{SHORT_DAY})\s+next\s+week|next\s+week\s+(?:on\s+)?(?P<after>{SHORT_DAY}))",
        lambda match, today: _of_next_week(match["name"] or match["after"], today),
    ),
    _day(
        r"(?:on|by)\s+(?:the\s+)?(?P<day>[0-9]{1,2})(?:st|nd|rd|th)",
        lambda m, today: _of_month(int(m["day"]), today),
    ),
    _day(
        rf"{_ON}(?:the\s+)?(?:end|last\s+day)\s+of\s+(?:the\s+|this\s+)?(?P<next>next\s+)?month",
        lambda match, today: _month_end(today, 1 if match["next"] else 0),
    ),
    _day(rf"{_ON}(?:the\s+)?end\s+of\s+(?:the\s+|this\s+)?year", lambda match, today: today.replace(month=12, day=31)),
    _day(
        rf"{_ON}(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})",
        lambda match, today: date(int(match["year"]), int(match["month"]), int(match["day"])),
    ),
    _day(rf"{_ON}(?P<day>[0-9]{{1,2}})\.(?P<month>[0-9]{{1,2}})\.(?P<year>[0-9]{{4}})?", _of_year),
    _day(rf"{_ON}(?P<month>{MONTH})\s+{_DATE_DAY}{_YEAR}", _of_year),
    _day(rf"{_ON}(?:the\s+)?{_DATE_DAY}\s+(?:of\s+)?(?P<month>{MONTH}){_YEAR}", _of_year),
)


def _clock(text: str, half: str = "") -> time:
    """Return the time of `17:00`, `5pm` or `5:30 pm`. Raises ValueError.

    `half` is `am` or `pm` for a text that has none.
    """
    match = re.fullmatch(r"([0-9]{1,2})(?::([0-5][0-9]))?\s?(am|pm)?", text.lower())
    if match is None or not (match[2] or match[3] or half):
        raise ValueError("not a time")
    hour, minute, half = int(match[1]), int(match[2] or 0), match[3] or half
    if half and not 1 <= hour <= 12:
        raise ValueError("not a time")
    return time(hour % 12 + (12 if half == "pm" else 0) if half else hour, minute)


def _range(match: re.Match[str], today: date) -> dict[str, Any]:
    """Return the beginning of a range, and its length as the estimate; `2-4pm` begins at two in the afternoon."""
    end = _clock(match["end"])
    shared = match["end"].lower()[-2:] if match["end"].lower().endswith("m") else ""
    begin = _clock(match["begin"], "" if re.search(r":|m$", match["begin"].lower()) else shared)
    minutes = (end.hour - begin.hour) * 60 + end.minute - begin.minute
    if minutes <= 0:
        raise ValueError("ends before it begins")
    return {"clock": begin, "estimate_minutes": minutes}


def _part(match: re.Match[str], today: date) -> dict[str, Any]:
    return {"clock": PARTS_OF_DAY[match["part"].lower()]}


_PARTS = "|".join(PARTS_OF_DAY)
TIMES: tuple[Phrase, ...] = (
    phrase("time", rf"(?:(?:at|by)\s+)?(?P<at>{_CLOCK})", lambda match, today: {"clock": _clock(match["at"])}),
    phrase("time", rf"(?:from\s+|at\s+)?(?P<begin>{_CLOCK})\s*(?:-|\u2013|\s+to\s+)\s*(?P<end>{_CLOCK})", _range),
    phrase("time", r"at\s+noon", lambda match, today: {"clock": time(12)}),
    phrase("time", r"at\s+midnight", lambda match, today: {"clock": time(0), "midnight": True}),
    phrase("time", r"in\s+the\s+(?P<part>morning|afternoon|evening)", _part),
)
# These are times only after a day: `tomorrow morning`.
TIMES_OF_DAYS: tuple[Phrase, ...] = (phrase("time", rf"(?P<part>{_PARTS})", _part),)


def _today_at(match: re.Match[str], today: date) -> dict[str, Any]:
    part = "night" if match["night"] else match["part"].lower()
    return {"day": today, "clock": PARTS_OF_DAY[part]}


DAYS_WITH_TIMES: tuple[Phrase, ...] = (
    phrase("moment", r"(?P<night>tonight)|this\s+(?P<part>morning|afternoon|evening)", _today_at),
)


def in_hours(line: str, start: int, now: datetime) -> Found | None:
    """Return the moment of `in 2 hours`, `in half an hour`, `in 90 minutes`, in the time zone of `now`."""
    match = _IN_HOURS.match(line, start)
    if match is None:
        return None
    count = 0.5 if match["half"] else 1 if match["one"] else number(match["number"])
    minutes = count * (60 if match["unit"][0].lower() == "h" else 1)
    # hours are added in UTC, because the offset may change meanwhile
    moment = datetime.fromtimestamp(now.timestamp() + minutes * 60, now.tzinfo)
    clock = moment.time().replace(second=0, microsecond=0)
    return Found(match.end(), "moment", {"day": moment.date(), "clock": clock})


_IN_HOURS = re.compile(
    rf"in\s+(?:(?P<half>half\s+an)|(?P<one>an?|one)|{NUMBER})\s*(?P<unit>hours?|hrs?|h|minutes?|mins?|min)(?![^\s,])",
    re.IGNORECASE,
)
