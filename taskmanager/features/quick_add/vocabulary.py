"""The vocabulary of quick add: English names of days, months, units and numbers, and phrases that match them."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from taskmanager.core.clock import later

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
FREQUENCIES = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "last": -1}
_NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

DAY = "|".join(DAYS)
SHORT_DAY = "|".join(f"{day}|{day[:4]}|{day[:3]}" for day in DAYS) + "|thurs"
MONTH = "|".join(f"{month}|{month[:3]}" for month in MONTHS) + "|sept"
UNIT = r"(?P<unit>day|week|month|year)s?"
NUMBER = rf"(?P<number>[0-9]{{1,3}}|{'|'.join(_NUMBERS)})"
NTH = rf"(?:[0-9]{{1,2}}(?:st|nd|rd|th)|{'|'.join(ORDINALS)})"
LIST = r"(?:\s*,\s*(?:and\s+)?|\s+and\s+|\s*&\s*)"


@dataclass(frozen=True)
class Found:
    """A phrase that was found in a line: its end, its slot (rule, day, time, moment, end), and its values."""

    end: int
    slot: str
    values: dict[str, Any] = field(default_factory=dict)


# Takes a line, a position in it and today; returns the phrase that begins at the position, or None.
Phrase = Callable[[str, int, date], Found | None]


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the compiled pattern of a phrase, which must end at the end of a word or before a comma."""
    return re.compile(rf"(?:{pattern})(?![^\s,])", re.IGNORECASE)


def phrase(slot: str, pattern: str, read: Callable[[re.Match[str], date], dict[str, Any]]) -> Phrase:
    """Return the phrase of a pattern.

    `read` returns the values of a match, or raises ValueError or OverflowError for an invalid one.
    """
    compiled_pattern = compiled(pattern)

    def find(line: str, start: int, today: date) -> Found | None:
        match = compiled_pattern.match(line, start)
        if match is None:
            return None
        try:
            return Found(match.end(), slot, read(match, today))
        except (ValueError, OverflowError):
            return None

    return find


def number(word: str) -> int:
    """Return the number of digits or of a word. Raises ValueError for zero and other words."""
    value = int(word) if word.isdigit() else _NUMBERS.index(word.lower()) + 1
    if value < 1:
        raise ValueError("not a number of times")
    return value


def ordinal(word: str) -> int:
    """Return the number of `2nd` or `second`; -1 for `last`."""
    return ORDINALS.get(word.lower()) or int(word[:-2])


def day_number(word: str) -> int:
    """Return the number of a weekday by its full or short name; 0 is Monday."""
    return next(index for index, name in enumerate(DAYS) if name.startswith(word.lower()[:3]))


def month_number(word: str) -> int:
    """Return the number of a month by its full or short name; 1 is January."""
    return next(index for index, name in enumerate(MONTHS, start=1) if name.startswith(word.lower()[:3]))


def after(day: date, count: int, unit: str) -> date:
    """Return the day that is `count` days, weeks, months or years later."""
    unit = unit.lower().removesuffix("s")
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    return later(day, months=count * (12 if unit == "year" else 1))
