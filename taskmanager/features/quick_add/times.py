"""Taking days, times and repetitions out of a line of quick add.

Phrases that follow each other are one expression (`every monday at 9:00 until march`). An expression is taken whole or
not at all: one that is a part of something longer that is not understood stays in the title.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from taskmanager.core.clock import is_allowed
from taskmanager.features.quick_add.context import is_unread, stands_alone
from taskmanager.features.quick_add.days import DAYS, DAYS_WITH_TIMES, TIMES, TIMES_OF_DAYS, in_hours
from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.quick_add.rules import BOUNDS, RULES
from taskmanager.features.quick_add.vocabulary import CODES, Found, after

_SLOTS = {"moment": {"day", "time"}}
_GAP = re.compile(r"\s*,?\s+")


@dataclass
class _Taken:
    """What was taken of a line until now."""

    slots: set[str] = field(default_factory=set)
    said: dict[str, Any] = field(default_factory=dict)


def take_time(line: str, said: ParsedTask, now: datetime) -> str:
    """Return the line without the expressions of time that are understood, and let `said` have what they say."""
    taken, kept, begin, place = _Taken(), "", 0, 0
    for word in re.finditer(r"(?<!\S)\S+", line):
        run = _run(line, word.start(), now, taken.slots) if word.start() >= place else []
        if not run:
            continue
        place = run[-1].end
        before = line[begin : word.start()]  # what stands before it and was not taken
        if stands_alone(before, line[place:]) and _merge(taken, run, said, now):
            place += line[place : place + 1] == ","
            kept, begin = f"{kept}{before} ", place
    left = kept + line[begin:]
    if is_unread(left):
        return line
    _fill(said, taken.said, now)
    return left


def _run(line: str, place: int, now: datetime, taken: set[str]) -> list[Found]:
    """Return the phrases that follow each other from a place on, the longest at each, no slot twice."""
    run: list[Found] = []
    slots = set(taken)
    while True:
        found = _longest(line, place, now, run)
        if found is None or _slots(found) & slots:
            return run
        run.append(found)
        slots |= _slots(found)
        gap = _GAP.match(line, found.end)
        if gap is None:
            return run
        place = gap.end()


def _longest(line: str, place: int, now: datetime, run: list[Found]) -> Found | None:
    phrases = [*RULES, *DAYS, *TIMES, *DAYS_WITH_TIMES]
    if any(one.slot == "rule" for one in run):
        phrases += BOUNDS
    if run and run[-1].slot in ("day", "rule"):
        phrases += TIMES_OF_DAYS
    today = now.date()
    found = [one for phrase in phrases if (one := phrase(line, place, today))]
    moment = in_hours(line, place, now)
    return max([*found, *([moment] if moment else [])], key=lambda one: one.end, default=None)


def _slots(found: Found) -> set[str]:
    return _SLOTS.get(found.slot, {found.slot}) | ({"time"} if "clock" in found.said else set())


def _merge(taken: _Taken, run: list[Found], said: ParsedTask, now: datetime) -> bool:
    """Let an expression join what was taken before; return False, and change nothing, where they do not agree."""
    merged: dict[str, Any] = dict(taken.said)
    for found in run:
        if "weekday" in merged and "weekday" in found.said:
            return False
        merged |= found.said
    if not _agree(merged, said, now):
        return False
    taken.said = merged
    taken.slots |= {slot for found in run for slot in _slots(found)}
    return True


def _agree(merged: dict[str, Any], said: ParsedTask, now: datetime) -> bool:
    rule = merged.get("recurrence")
    if merged.get("midnight") and merged.get("day") and not rule:
        return False  # at the begin of the day, or at its end?
    if merged.get("estimate_minutes") and said.estimate_minutes:
        return False
    if rule and merged.get("weekday") and not _fits(rule, merged["day"]):
        return False
    try:
        return not rule or _ended(merged, now) is not None
    except (ValueError, OverflowError):
        return False


def _fits(rule: str, day: date) -> bool:
    """Return whether a rule is one of weeks, and has this day of the week if it names any."""
    if "FREQ=WEEKLY" not in rule:
        return False
    return "BYDAY=" not in rule or CODES[day.weekday()] in rule.rpartition("BYDAY=")[2].split(",")


def _ended(merged: dict[str, Any], now: datetime) -> str | None:
    """Return the rule with its end; None for an end before the first day."""
    rule = merged["recurrence"]
    if "count" in merged:
        return f"{rule};COUNT={merged['count']}"
    if "until" not in merged and "lasts" not in merged:
        return str(rule)
    trial = ParsedTask(recurrence=rule, day=merged.get("day"), clock=merged.get("clock"))
    first = trial.first(now)
    if first is None:
        return None
    until = merged["until"] if "until" in merged else after(first, *merged["lasts"]) - timedelta(days=1)
    return f"{rule};UNTIL={until:%Y%m%d}" if until > first and is_allowed(until) else None


def _fill(said: ParsedTask, merged: dict[str, Any], now: datetime) -> None:
    for name in ("day", "clock", "from_completion"):
        if name in merged:
            setattr(said, name, merged[name])
    if "estimate_minutes" in merged:
        said.estimate_minutes = merged["estimate_minutes"]
    if "recurrence" in merged:
        said.recurrence = _ended(merged, now)
