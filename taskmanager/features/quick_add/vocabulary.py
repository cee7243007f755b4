"""Words of quick add: names of days, months, units and numbers in English, and how they are found in a line."""

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
    """A phrase in a line: where it ends, which slot it fills (rule, start, end, day, time), and what it says."""

    end: int
    slot: str
    said: dict[str, Any] = field(default_factory=dict)


# From a line, a place in it and today to the phrase that begins there; None when there is none.
Phrase = Callable[[str, int, date], Found | None]


def compiled(pattern: str) -> re.Pattern[str]:
    """Return the pattern of a phrase: it ends with a word, or before a comma."""
    return re.compile(rf"(?:{pattern})(?![^\s,])", re.IGNORECASE)


def phrase(slot: str, pattern: str, say: Callable[[re.Match[str], date], dict[str, Any]]) -> Phrase:
    """Return the phrase of a pattern. `say` raises ValueError or OverflowError for what makes no sense."""
    form = compiled(pattern)

    def find(line: str, place: int, today: date) -> Found | None:
        match = form.match(line, place)
        if match is None:
            return None
        try:
            return Found(match.end(), slot, say(match, today))
        except (ValueError, OverflowError):
            return None

    return find


def number(word: str) -> int:
    """Return the number of digits or of a word. Raises ValueError for none."""
    value = int(word) if word.isdigit() else _NUMBERS.index(word.lower()) + 1
    if value < 1:
        raise ValueError("not a number of times")
    return value


def ordinal(word: str) -> int:
    """Return the number of `2nd` or `second`; -1 for `last`."""
    return ORDINALS.get(word.lower()) or int(word[:-2])


def day_number(word: str) -> int:
    """Return 0 for a Monday, in full or short, and so on."""
    return next(place for place, name in enumerate(DAYS) if name.startswith(word.lower()[:3]))


def month_number(word: str) -> int:
    """Return 1 for January, in full or short, and so on."""
    return next(place for place, name in enumerate(MONTHS, start=1) if name.startswith(word.lower()[:3]))


def after(day: date, count: int, unit: str) -> date:
    """Return the day some days, weeks, months or years later."""
    unit = unit.lower().removesuffix("s")
    if unit in ("day", "week"):
        return day + timedelta(days=count * (7 if unit == "week" else 1))
    return later(day, months=count * (12 if unit == "year" else 1))
