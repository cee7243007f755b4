"""The grammar of quick add: parse a line such as `Pay rent every month on the 1st #Home @label !high`.

Parsed expressions are removed from the line, and the rest is the title; text in quotes is not parsed. Months and days
may be English words. Days and times are in the time zone of the account.
"""

import re
from collections.abc import Callable
from datetime import datetime

from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.quick_add.times import extract_time

MAX_CHARACTERS = 1000
_PRIORITIES = {"p1": "urgent", "p2": "high", "p3": "medium", "p4": "low"}


def parse(text: str, now: datetime) -> ParsedTask:
    """Return the parsed line; `now` gives the current time and the time zone. Other text stays in the title."""
    parsed = ParsedTask()
    line, quotes = _hide_quotes(text)
    for pattern, store in _PATTERNS:
        line = _extract(line, pattern, store, parsed)
    line = extract_time(line, parsed, now)
    parsed.title = " ".join(_show_quotes(line, quotes).split())
    return parsed


# Stores a match in the parsed task; returns False to leave the match in the line.
Store = Callable[[re.Match[str], ParsedTask], bool | None]


def _extract(line: str, pattern: re.Pattern[str], store: Store, parsed: ParsedTask) -> str:
    """Return the line without the matches that `store` accepts."""
    parts, end = [], 0
    for match in pattern.finditer(line):
        if store(match, parsed) is not False:
            parts.append(line[end : match.start()])
            end = match.end()
    return "".join([*parts, line[end:]])


def _hide_quotes(text: str) -> tuple[str, list[str]]:
    """Return the text with a placeholder for each quoted part, except names after #, @ and +; and the quoted parts."""
    quotes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        quotes.append(match.group())
        return f"\x00{len(quotes) - 1}\x00"

    return re.sub(r"(?<![#@+])\"[^\"]*\"", hide, text.replace("\x00", "")), quotes


def _show_quotes(line: str, quotes: list[str]) -> str:
    return re.sub("\x00([0-9]+)\x00", lambda match: quotes[int(match[1])], line)


def _name(match: re.Match[str]) -> str:
    return (match["quoted"] or match["word"]).strip()


def _project(match: re.Match[str], parsed: ParsedTask) -> bool | None:
    if parsed.project is not None:
        return False
    parsed.project = _name(match)
    return None


def _label(match: re.Match[str], parsed: ParsedTask) -> None:
    parsed.labels.append(_name(match))


def _person(match: re.Match[str], parsed: ParsedTask) -> None:
    parsed.people.append(_name(match))


def _priority(match: re.Match[str], parsed: ParsedTask) -> bool | None:
    if parsed.priority is not None:
        return False
    word = match[1].lower()
    parsed.priority = _PRIORITIES.get(word, word.removeprefix("!"))
    return None


def _estimate(match: re.Match[str], parsed: ParsedTask) -> bool | None:
    if parsed.estimate_minutes is not None:
        return False
    parsed.estimate_minutes = int(match["number"]) * (60 if match["unit"][0].lower() == "h" else 1)
    return None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S)(?:{pattern})(?!\S)", re.IGNORECASE)


_NAME = r"(?:\"(?P<quoted>[^\"]+)\"|(?P<word>[^\s\"]+))"
_PATTERNS: tuple[tuple[re.Pattern[str], Store], ...] = (
    (_words(f"#{_NAME}"), _project),
    (_words(f"@{_NAME}"), _label),
    (_words(rf"\+(?=[^\s0-9]){_NAME}"), _person),
    (_words(r"(!(?:none|low|medium|high|urgent)|p[1-4])"), _priority),
    (_words(r"(?:for\s+|~)(?P<number>[0-9]{1,4})\s*(?P<unit>m|min|mins|minutes?|h|hours?)"), _estimate),
)
