"""Extract days, times and recurrence rules from a line of quick add.

Consecutive phrases are one expression (`every monday at 9:00 until march`). An expression is extracted whole or not at
all: one that is a part of a longer expression that is not supported stays in the title.
"""

import re
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from taskmanager.core.clock import is_allowed
from taskmanager.features.quick_add.context import has_unsupported_recurrence, is_complete
from taskmanager.features.quick_add.days import DAYS, DAYS_WITH_TIMES, TIMES, TIMES_OF_DAYS, in_hours
from taskmanager.features.quick_add.parsed_task import ParsedTask
from taskmanager.features.quick_add.repetitions import BOUNDS, RULES
from taskmanager.features.quick_add.vocabulary import CODES, Found, after

_SLOTS = {"moment": {"day", "time"}}
_GAP = re.compile(r"\s*,?\s+")


@dataclass
class _Extracted:
    """The slots and values extracted from a line so far."""

    slots: set[str] = field(default_factory=set)
    values: dict[str, Any] = field(default_factory=dict)


def extract_time(line: str, parsed: ParsedTask, now: datetime) -> str:
    """Return the line without the supported expressions of time, and store their values in `parsed`."""
    extracted, kept, begin, end = _Extracted(), "", 0, 0
    for word in re.finditer(r"(?<!\S)\S+", line):
        phrases = _phrases(line, word.start(), now, extracted.slots) if word.start() >= end else []
        if not phrases:
            continue
        end = phrases[-1].end
        before = line[begin : word.start()]  # the text since the last extracted expression
        if is_complete(before, line[end:]) and _merge(extracted, phrases, parsed, now):
            end += line[end : end + 1] == ","
            kept, begin = f"{kept}{before} ", end
    rest = kept + line[begin:]
    if has_unsupported_recurrence(rest):
        return line
    _fill(parsed, extracted.values, now)
    return rest


def _phrases(line: str, start: int, now: datetime, used_slots: set[str]) -> list[Found]:
    """Return the consecutive phrases from `start` on, each the longest possible, with each slot at most once."""
    phrases: list[Found] = []
    slots = set(used_slots)
    while True:
        found = _longest(line, start, now, phrases)
        if found is None or _slots(found) & slots:
            return phrases
        phrases.append(found)
        slots |= _slots(found)
        gap = _GAP.match(line, found.end)
        if gap is None:
            return phrases
        start = gap.end()


def _longest(line: str, start: int, now: datetime, previous: list[Found]) -> Found | None:
    candidates = [*RULES, *DAYS, *TIMES, *DAYS_WITH_TIMES]
    if any(one.slot == "rule" for one in previous):
        candidates += BOUNDS
    if previous and previous[-1].slot in ("day", "rule"):
        candidates += TIMES_OF_DAYS
    today = now.date()
    found = [one for phrase in candidates if (one := phrase(line, start, today))]
    moment = in_hours(line, start, now)
    return max([*found, *([moment] if moment else [])], key=lambda one: one.end, default=None)


def _slots(found: Found) -> set[str]:
    return _SLOTS.get(found.slot, {found.slot}) | ({"time"} if "clock" in found.values else set())


def _merge(extracted: _Extracted, phrases: list[Found], parsed: ParsedTask, now: datetime) -> bool:
    """Add an expression to the extracted values; return False, and change nothing, when they are contradictory."""
    merged: dict[str, Any] = dict(extracted.values)
    for found in phrases:
        if "weekday" in merged and "weekday" in found.values:
            return False
        merged |= found.values
    if not _is_consistent(merged, parsed, now):
        return False
    extracted.values = merged
    extracted.slots |= {slot for found in phrases for slot in _slots(found)}
    return True


def _is_consistent(merged: dict[str, Any], parsed: ParsedTask, now: datetime) -> bool:
    rule = merged.get("recurrence")
    if merged.get("midnight") and merged.get("day") and not rule:
        return False  # ambiguous: the beginning of the day, or its end
    if merged.get("estimate_minutes") and parsed.estimate_minutes:
        return False
    if rule and merged.get("weekday") and not _includes(rule, merged["day"]):
        return False
    try:
        return not rule or _bounded_rule(merged, now) is not None
    except (ValueError, OverflowError):
        return False


def _includes(rule: str, day: date) -> bool:
    """Return whether a rule is weekly, and has this day of the week if it names any."""
    if "FREQ=WEEKLY" not in rule:
        return False
    return "BYDAY=" not in rule or CODES[day.weekday()] in rule.rpartition("BYDAY=")[2].split(",")


def _bounded_rule(merged: dict[str, Any], now: datetime) -> str | None:
    """Return the rule with COUNT or UNTIL, if given; None when the end is not after the first day."""
    rule = merged["recurrence"]
    if "count" in merged:
        return f"{rule};COUNT={merged['count']}"
    if "until" not in merged and "lasts" not in merged:
        return str(rule)
    unbounded = ParsedTask(recurrence=rule, day=merged.get("day"), clock=merged.get("clock"))
    first = unbounded.first(now)
    if first is None:
        return None
    until = merged["until"] if "until" in merged else after(first, *merged["lasts"]) - timedelta(days=1)
    return f"{rule};UNTIL={until:%Y%m%d}" if until > first and is_allowed(until) else None


def _fill(parsed: ParsedTask, merged: dict[str, Any], now: datetime) -> None:
    for name in ("day", "clock", "from_completion"):
        if name in merged:
            setattr(parsed, name, merged[name])
    if "estimate_minutes" in merged:
        parsed.estimate_minutes = merged["estimate_minutes"]
    if "recurrence" in merged:
        parsed.recurrence = _bounded_rule(merged, now)
