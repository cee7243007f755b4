"""What one line of text says of a task: `Pay rent every month on the 1st #Home @label !high`.

What is understood is cut out, and what is left is the title; text in quotes is left as it is. Months and days may be
English words. A day is one of the zone of the one who writes, and a time is on its clock.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from taskmanager.features.tasks.recurrence import parse
from taskmanager.features.tasks.understood import Understood

LONGEST = 1000
_FIRST_YEAR, _LAST_YEAR = 1900, 9000  # of days that are taken for such
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CODES = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_UNITS = {"day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}
_ORDINALS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "last": -1}
_PRIORITIES = {"p1": "urgent", "p2": "high", "p3": "medium", "p4": "low"}

_DAY = "|".join(_DAYS)
_SHORT_DAY = "|".join(f"{day}|{day[:3]}" for day in _DAYS)
_MONTH = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
_UNIT = r"(?P<unit>day|week|month|year)s?"


def understand(text: str, now: datetime) -> Understood:
    """What a line says at a moment of a zone. What is not understood stays in the title."""
    said = Understood()
    line, quotes = _hide_quotes(text)
    for pattern, take in _PATTERNS:
        line = _take(line, pattern, take, said, now)
    said.title = " ".join(_show_quotes(line, quotes).split())
    return said


Take = Callable[[re.Match[str], Understood, datetime], bool | None]


def _take(line: str, pattern: re.Pattern[str], take: Take, said: Understood, now: datetime) -> str:
    """The line without what the pattern finds and `take` does not refuse (by False)."""
    parts, end = [], 0
    for match in pattern.finditer(line):
        try:
            refused = take(match, said, now) is False
        except (ValueError, OverflowError):  # a day that the calendar does not have
            refused = True
        if not refused:
            parts.append(line[end : match.start()])
            end = match.end()
    return "".join([*parts, line[end:]])


def _hide_quotes(text: str) -> tuple[str, list[str]]:
    """The text with a mark for each quoted part, but for names after #, @ and +."""
    quotes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        quotes.append(match.group())
        return f"\x00{len(quotes) - 1}\x00"

    return re.sub(r"(?<![#@+])\"[^\"]*\"", hide, text.replace("\x00", "")), quotes


def _show_quotes(line: str, quotes: list[str]) -> str:
    return re.sub("\x00([0-9]+)\x00", lambda match: quotes[int(match[1])], line)


def _name(match: re.Match[str]) -> str:
    return (match["quoted"] or match["word"]).strip()


def _project(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
    if said.project is not None:
        return False
    said.project = _name(match)
    return None


def _label(match: re.Match[str], said: Understood, now: datetime) -> None:
    said.labels.append(_name(match))


def _person(match: re.Match[str], said: Understood, now: datetime) -> None:
    said.people.append(_name(match))


def _priority(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
    if said.priority is not None:
        return False
    word = match[1].lower()
    said.priority = _PRIORITIES.get(word, word.removeprefix("!"))
    return None


def _estimate(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
    if said.estimate_minutes is not None:
        return False
    said.estimate_minutes = int(match["number"]) * (60 if match["unit"][0].lower() == "h" else 1)
    return None


def _time(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
    if said.clock is not None:
        return False
    if match["word"]:
        said.clock = time(12 if match["word"].lower() == "noon" else 0)
        return None
    hour, half = int(match["hour"]), (match["half"] or "").lower()
    if half and not 1 <= hour <= 12:
        return False
    said.clock = time(hour % 12 + (12 if half == "pm" else 0) if half else hour, int(match["minute"] or 0))
    return None


def _rule(make: Callable[[re.Match[str]], str]) -> Take:
    def take(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
        if said.recurrence is not None:
            return False
        rule = make(match)
        parse(rule)
        said.recurrence, said.from_completion = rule, match.groupdict().get("bang") == "!"
        return None

    return take


def _on(make: Callable[[re.Match[str], date], date]) -> Take:
    def take(match: re.Match[str], said: Understood, now: datetime) -> bool | None:
        if said.day is not None:
            return False
        day = make(match, now.date())
        if not _FIRST_YEAR <= day.year <= _LAST_YEAR:
            return False
        said.day = day
        return None

    return take


def _day_number(word: str) -> int:
    return next(number for number, name in enumerate(_DAYS) if name.startswith(word.lower()[:3]))


def _month_number(word: str) -> int:
    return next(number for number, name in enumerate(_MONTHS, start=1) if name.startswith(word.lower()[:3]))


def _weekdays(match: re.Match[str]) -> str:
    days = {_day_number(word) for word in re.findall(_SHORT_DAY, match["days"], re.IGNORECASE)}
    return "FREQ=WEEKLY;BYDAY=" + ",".join(_CODES[day] for day in sorted(days))


def _coming(word: str, today: date) -> date:
    """The next day of this name, but not today."""
    return today + timedelta(days=(_day_number(word) - today.weekday() - 1) % 7 + 1)


def _later(number: int, unit: str, today: date) -> date:
    if unit in ("day", "week"):
        return today + timedelta(days=number * (7 if unit == "week" else 1))
    months = today.month - 1 + number * (12 if unit == "year" else 1)
    first = date(today.year + months // 12, months % 12 + 1, 1)
    last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
    return first.replace(day=min(today.day, last.day))


def _of_year(day: int, month: int, year: str | None, today: date) -> date:
    """A day of the year that is said, or of the next year in which it is not over."""
    if year:
        return date(int(year), month, day)
    for ahead in range(9):  # the 29th of February may be eight years away
        try:
            found = date(today.year + ahead, month, day)
        except ValueError:
            continue
        if found >= today:
            return found
    raise ValueError("there is no such day")


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S)(?:{pattern})(?!\S)", re.IGNORECASE)


_NAME = r"(?:\"(?P<quoted>[^\"]+)\"|(?P<word>[^\s\"]+))"
_NTH = r"(?P<day>[0-9]{1,2})(?:st|nd|rd|th)"
_EVERY = r"every(?P<bang>!)?\s+"
_PATTERNS: tuple[tuple[re.Pattern[str], Take], ...] = (
    (_words(f"#{_NAME}"), _project),
    (_words(f"@{_NAME}"), _label),
    (_words(rf"\+(?=[^\s0-9]){_NAME}"), _person),
    (_words(r"(!(?:none|low|medium|high|urgent)|p[1-4])"), _priority),
    (_words(r"(?:for\s+|~)(?P<number>[0-9]{1,4})\s*(?P<unit>m|min|mins|minutes?|h|hours?)"), _estimate),
    # --- again and again
    (_words(rf"{_EVERY}(?:weekday|workday)|every weekday"), _rule(lambda match: "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR")),
    (_words(rf"{_EVERY}month\s+on\s+the\s+last\s+day"), _rule(lambda match: "FREQ=MONTHLY;BYMONTHDAY=-1")),
    (
        _words(rf"{_EVERY}(?:month\s+on\s+the\s+)?{_NTH}(?:\s+of\s+the\s+month)?"),
        _rule(lambda match: f"FREQ=MONTHLY;BYMONTHDAY={int(match['day'])}"),
    ),
    (
        _words(rf"{_EVERY}(?P<nth>first|second|third|fourth|last)\s+(?P<name>{_DAY})(?:\s+of\s+the\s+month)?"),
        _rule(
            lambda match: f"FREQ=MONTHLY;BYDAY={_ORDINALS[match['nth'].lower()]}{_CODES[_day_number(match['name'])]}"
        ),
    ),
    (
        _words(rf"{_EVERY}(?P<month>{_MONTH})\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?"),
        _rule(lambda match: f"FREQ=YEARLY;BYMONTH={_month_number(match['month'])};BYMONTHDAY={int(match['day'])}"),
    ),
    (_words(rf"{_EVERY}other\s+{_UNIT}"), _rule(lambda match: f"FREQ={_UNITS[match['unit'].lower()]};INTERVAL=2")),
    (
        _words(rf"{_EVERY}(?P<number>[0-9]{{1,3}})\s+{_UNIT}"),
        _rule(lambda match: f"FREQ={_UNITS[match['unit'].lower()]};INTERVAL={int(match['number'])}"),
    ),
    (_words(rf"{_EVERY}(?P<days>(?:{_SHORT_DAY})(?:(?:\s*,\s*|\s+and\s+)(?:{_SHORT_DAY}))*)"), _rule(_weekdays)),
    (_words(rf"{_EVERY}{_UNIT}"), _rule(lambda match: f"FREQ={_UNITS[match['unit'].lower()]}")),
    (_words("daily"), _rule(lambda match: "FREQ=DAILY")),
    (_words("weekly"), _rule(lambda match: "FREQ=WEEKLY")),
    (_words("monthly"), _rule(lambda match: "FREQ=MONTHLY")),
    (_words("yearly|annually"), _rule(lambda match: "FREQ=YEARLY")),
    # --- a day
    (_words("(?:on\\s+|by\\s+)?today"), _on(lambda match, today: today)),
    (_words("(?:on\\s+|by\\s+)?tomorrow"), _on(lambda match, today: today + timedelta(days=1))),
    (_words("next\\s+week"), _on(lambda match, today: _coming("monday", today))),
    (_words("next\\s+(?P<unit>month|year)"), _on(lambda match, today: _later(1, match["unit"].lower(), today))),
    (
        _words(rf"in\s+(?P<number>[0-9]{{1,3}}|an?|one)\s+{_UNIT}"),
        _on(
            lambda match, today: _later(
                int(match["number"]) if match["number"].isdigit() else 1, match["unit"].lower(), today
            )
        ),
    ),
    (_words(rf"(?:on|by|next)\s+(?P<name>{_SHORT_DAY})"), _on(lambda match, today: _coming(match["name"], today))),
    (_words(rf"(?P<name>{_DAY})"), _on(lambda match, today: _coming(match["name"], today))),
    (
        _words(r"(?:(?:on|by)\s+)?(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"),
        _on(lambda match, today: date(int(match["year"]), int(match["month"]), int(match["day"]))),
    ),
    (
        _words(r"(?:(?:on|by)\s+)?(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})?"),
        _on(lambda match, today: _of_year(int(match["day"]), int(match["month"]), match["year"], today)),
    ),
    (
        _words(
            rf"(?:(?:on|by)\s+)?(?P<month>{_MONTH})\s+(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>[0-9]{{4}}))?"
        ),
        _on(lambda match, today: _of_year(int(match["day"]), _month_number(match["month"]), match["year"], today)),
    ),
    (
        _words(
            rf"(?:(?:on|by)\s+)?(?P<day>[0-9]{{1,2}})(?:st|nd|rd|th)?\s+(?P<month>{_MONTH})(?:\s+(?P<year>[0-9]{{4}}))?"
        ),
        _on(lambda match, today: _of_year(int(match["day"]), _month_number(match["month"]), match["year"], today)),
    ),
    # --- a time
    (
        _words(
            r"(?:at\s+)?(?P<hour>[0-9]{1,2})(?=:|\s?[ap]m)(?::(?P<minute>[0-5][0-9]))?(?:\s?(?P<half>am|pm))?"
            r"|at\s+(?P<word>noon|midnight)"
        ),
        _time,
    ),
)
