"""What one line of text says of a task: `Pay rent every month on the 1st #Home @label !high`.

What is understood is cut out, and what is left is the title; text in quotes is left as it is. Months and days may be
English words. A day is one of the zone of the account that writes, and a time is on its clock.
"""

import re
from collections.abc import Callable
from datetime import datetime

from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.quick_add.times import take_time

MAX_CHARACTERS = 1000
_PRIORITIES = {"p1": "urgent", "p2": "high", "p3": "medium", "p4": "low"}


def parse(text: str, now: datetime) -> ParsedTask:
    """Return what a line says at a moment of a zone. What is not understood stays in the title."""
    said = ParsedTask()
    line, quotes = _hide_quotes(text)
    for pattern, take in _PATTERNS:
        line = _take(line, pattern, take, said)
    line = take_time(line, said, now)
    said.title = " ".join(_show_quotes(line, quotes).split())
    return said


Take = Callable[[re.Match[str], ParsedTask], bool | None]


def _take(line: str, pattern: re.Pattern[str], take: Take, said: ParsedTask) -> str:
    """Return the line without what the pattern finds and `take` does not refuse (by False)."""
    parts, end = [], 0
    for match in pattern.finditer(line):
        if take(match, said) is not False:
            parts.append(line[end : match.start()])
            end = match.end()
    return "".join([*parts, line[end:]])


def _hide_quotes(text: str) -> tuple[str, list[str]]:
    """Return the text with a mark for each quoted part, but for names after #, @ and +."""
    quotes: list[str] = []

    def hide(match: re.Match[str]) -> str:
        quotes.append(match.group())
        return f"\x00{len(quotes) - 1}\x00"

    return re.sub(r"(?<![#@+])\"[^\"]*\"", hide, text.replace("\x00", "")), quotes


def _show_quotes(line: str, quotes: list[str]) -> str:
    return re.sub("\x00([0-9]+)\x00", lambda match: quotes[int(match[1])], line)


def _name(match: re.Match[str]) -> str:
    return (match["quoted"] or match["word"]).strip()


def _project(match: re.Match[str], said: ParsedTask) -> bool | None:
    if said.project is not None:
        return False
    said.project = _name(match)
    return None


def _label(match: re.Match[str], said: ParsedTask) -> None:
    said.labels.append(_name(match))


def _person(match: re.Match[str], said: ParsedTask) -> None:
    said.people.append(_name(match))


def _priority(match: re.Match[str], said: ParsedTask) -> bool | None:
    if said.priority is not None:
        return False
    word = match[1].lower()
    said.priority = _PRIORITIES.get(word, word.removeprefix("!"))
    return None


def _estimate(match: re.Match[str], said: ParsedTask) -> bool | None:
    if said.estimate_minutes is not None:
        return False
    said.estimate_minutes = int(match["number"]) * (60 if match["unit"][0].lower() == "h" else 1)
    return None


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\S)(?:{pattern})(?!\S)", re.IGNORECASE)


_NAME = r"(?:\"(?P<quoted>[^\"]+)\"|(?P<word>[^\s\"]+))"
_PATTERNS: tuple[tuple[re.Pattern[str], Take], ...] = (
    (_words(f"#{_NAME}"), _project),
    (_words(f"@{_NAME}"), _label),
    (_words(rf"\+(?=[^\s0-9]){_NAME}"), _person),
    (_words(r"(!(?:none|low|medium|high|urgent)|p[1-4])"), _priority),
    (_words(r"(?:for\s+|~)(?P<number>[0-9]{1,4})\s*(?P<unit>m|min|mins|minutes?|h|hours?)"), _estimate),
)
