"""Recurrence rules of quick add: `every 2nd monday`, `every other week until march 3`, `every day for 5 weeks`."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from taskmanager.features.quick_add.days import DAYS, PARTS_OF_DAY
from taskmanager.features.quick_add.vocabulary import (
    CODES,
    FREQUENCIES,
    LIST,
    MONTH,
    NTH,
    NUMBER,
    SHORT_DAY,
    UNIT,
    Found,
    Phrase,
    day_number,
    month_number,
    number,
    ordinal,
    phrase,
)
from taskmanager.features.tasks.recurrence.rules import parse

_EVERY = r"(?:every(?P<bang>!)?|each)\s+"
_OF_MONTH = r"(?:\s+of\s+(?:the|every|each)\s+month)?"
_NAMED_DAYS = rf"(?P<days>(?:{SHORT_DAY})s?(?:{LIST}(?:{SHORT_DAY})s?)*)"
_NTHS = rf"(?P<nths>{NTH}(?:{LIST}(?:the\s+)?{NTH})*)"
_SPAN = rf"(?:(?P<other>other|second|2nd)\s+|(?:{NUMBER}|(?P<th>[0-9]{{1,2}}(?:st|nd|rd|th)|third|fourth|fifth))\s+)?"
_WORKDAYS = "MO,TU,WE,TH,FR"


def _rule(pattern: str, make: Callable[[re.Match[str]], str], **more: Any) -> Phrase:
    """Return the phrase of a rule. `make` returns the RRULE of a match."""

    def read(match: re.Match[str], today: date) -> dict[str, Any]:
        rule = make(match)
        parse(rule)
        return {"recurrence": rule, "from_completion": match.groupdict().get("bang") == "!"} | more

    return phrase("rule", pattern, read)


def _span(match: re.Match[str]) -> str:
    """Return frequency and interval of `2 weeks`, `other day`, `3rd month`."""
    count = 2 if match["other"] else ordinal(match["th"]) if match["th"] else number(match["number"] or "1")
    freq = f"FREQ={FREQUENCIES[match['unit'].lower()]}"
    return freq if count == 1 else f"{freq};INTERVAL={count}"


def _codes(text: str) -> str:
    days = {day_number(word) for word in re.findall(rf"\b(?:{SHORT_DAY})", text, re.IGNORECASE)}
    return ",".join(CODES[day] for day in sorted(days))


def _ordinals(text: str) -> list[int]:
    return list(dict.fromkeys(ordinal(word) for word in re.findall(rf"\b{NTH}\b", text, re.IGNORECASE)))


def _month_days(text: str) -> str:
    return ",".join(str(day) for day in _ordinals(text))


def _nth_days(nths: str, name: str) -> str:
    return ",".join(f"{nth}{CODES[day_number(name)]}" for nth in _ordinals(nths))


def _days_between(match: re.Match[str]) -> str:
    first, last = day_number(match["first"]), day_number(match["last"])
    if last <= first:
        raise ValueError("not days of one week")
    return "FREQ=WEEKLY;BYDAY=" + ",".join(CODES[first : last + 1])


def _span_on_days(match: re.Match[str]) -> str:
    if match["unit"].lower() != "week":
        raise ValueError("only weeks have days of a week")
    return f"{_span(match)};BYDAY={_codes(match['days'])}"


def _span_on_dates(match: re.Match[str]) -> str:
    if match["unit"].lower() != "month":
        raise ValueError("only months have days of a month")
    if match["name"]:
        return f"{_span(match)};BYDAY={_nth_days(match['nths'], match['name'])}"
    if match["end"]:
        return f"{_span(match)};BYMONTHDAY=-1"
    return f"{_span(match)};BYMONTHDAY={_month_days(match['nths'])}"


def _of_months(match: re.Match[str]) -> str:
    if match["name"]:
        return f"FREQ=MONTHLY;BYDAY={_nth_days(match['nths'], match['name'])}"
    return f"FREQ=MONTHLY;BYMONTHDAY={_month_days(match['nths'])}"


def _of_years(match: re.Match[str]) -> str:
    day = int(match["day"] or match["before"])
    return f"FREQ=YEARLY;BYMONTH={month_number(match['month'])};BYMONTHDAY={day}"


_ALIASES = {
    "daily": "FREQ=DAILY",
    "weekly": "FREQ=WEEKLY",
    "fortnightly": "FREQ=WEEKLY;INTERVAL=2",
    "monthly": "FREQ=MONTHLY",
    "quarterly": "FREQ=MONTHLY;INTERVAL=3",
    "yearly": "FREQ=YEARLY",
    "annually": "FREQ=YEARLY",
}

RULES: tuple[Phrase, ...] = (
    _rule(
        rf"{_EVERY}(?:weekday|workday|business\s+day|working\s+day)s?",
        lambda match: f"FREQ=WEEKLY;BYDAY={_WORKDAYS}",
    ),
    _rule(rf"{_EVERY}{_SPAN}{UNIT}", _span),
    _rule(rf"{_EVERY}fortnight", lambda match: "FREQ=WEEKLY;INTERVAL=2"),
    _rule(rf"{_EVERY}quarter", lambda match: "FREQ=MONTHLY;INTERVAL=3"),
    _rule(rf"{_EVERY}{_SPAN}{UNIT}\s+on\s+{_NAMED_DAYS}", _span_on_days),
    _rule(rf"{_EVERY}{_NAMED_DAYS}", lambda match: f"FREQ=WEEKLY;BYDAY={_codes(match['days'])}"),
    _rule(
        rf"{_EVERY}(?P<first>{SHORT_DAY})\s*(?:-|\u2013|\s+to\s+|\s+through\s+|\s+thru\s+)\s*(?P<last>{SHORT_DAY})",
        _days_between,
    ),
    _rule(
        rf"{_EVERY}other\s+(?P<days>{SHORT_DAY})", lambda match: f"FREQ=WEEKLY;INTERVAL=2;BYDAY={_codes(match['days'])}"
    ),
    _rule(
        rf"{_EVERY}{_SPAN}{UNIT}\s+on\s+(?:the\s+)?(?:(?P<end>last\s+day)|{_NTHS}(?:\s+(?P<name>{SHORT_DAY}))?)",
        _span_on_dates,
    ),
    _rule(rf"{_EVERY}last\s+day{_OF_MONTH}", lambda match: "FREQ=MONTHLY;BYMONTHDAY=-1"),
    _rule(
        rf"{_EVERY}(?P<nths>[0-9]{{1,2}}(?:st|nd|rd|th)(?:{LIST}[0-9]{{1,2}}(?:st|nd|rd|th))*)(?P<name>){_OF_MONTH}",
        _of_months,
    ),
    _rule(rf"{_EVERY}{_NTHS}\s+(?P<name>{SHORT_DAY}){_OF_MONTH}", _of_months),
    _rule(rf"(?:on\s+)?(?:the\s+)?{_NTHS}(?:\s+(?P<name>{SHORT_DAY}))?\s+of\s+(?:every|each)\s+month", _of_months),
    _rule(
        rf"{_EVERY}(?:year\s+on\s+(?:the\s+)?)?(?P<month>{MONTH})\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?(?P<before>)",
        _of_years,
    ),
    _rule(
        rf"{_EVERY}(?:year\s+on\s+(?:the\s+)?)?(?P<before>[0-9]{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<month>{MONTH})(?P<day>)",
        _of_years,
    ),
    *(
        _rule(rf"{_EVERY}{part}", lambda match: "FREQ=DAILY", clock=clock)
        for part, clock in PARTS_OF_DAY.items()
        if part != "noon"
    ),
    _rule("|".join(_ALIASES), lambda match: _ALIASES[match[0].lower()]),
)


def _dated(pattern: str, slot: str, name: str) -> Phrase:
    """Return a phrase that ends with a day: `until friday`."""
    compiled_pattern = re.compile(pattern, re.IGNORECASE)

    def find(line: str, start: int, today: date) -> Found | None:
        match = compiled_pattern.match(line, start)
        days = [found for day in DAYS if match and (found := day(line, match.end(), today))]
        if not days:
            return None
        found = max(days, key=lambda one: one.end)
        return Found(found.end, slot, {name: found.values["day"]})

    return find


# The phrases that may follow a rule.
BOUNDS: tuple[Phrase, ...] = (
    _dated(r"(?:starting|beginning|starts|from)\s+(?:on\s+)?", "day", "day"),
    _dated(r"(?:until|till|til|ending|ends)\s+(?:on\s+)?", "end", "until"),
    phrase("end", rf"for\s+{NUMBER}\s+{UNIT}", lambda m, today: {"lasts": (number(m["number"]), m["unit"].lower())}),
    phrase("end", rf"for\s+{NUMBER}\s+times", lambda match, today: {"count": number(match["number"])}),
)
