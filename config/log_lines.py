"""The quick way to a line of our own log: most events are a text with some names and numbers, one for each request.

It writes what the processors of `config.logging` write for ECS, in one step; a test compares the two.
"""

from collections.abc import MutableMapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from config import log_fields
from taskmanager.core.events.log import correlation
from taskmanager.core.security.redaction import scrubber

_LEVELS = frozenset(("debug", "info", "warning", "error", "critical"))
_KINDS = frozenset((int, float, bool))
_WITH_TRACEBACK = frozenset(("exc_info", "stack_info"))


def quick_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> bytes | None:
    """Return the line of an event whose values are texts, numbers and None; None for any other event."""
    if method not in _LEVELS or not _WITH_TRACEBACK.isdisjoint(event):
        return None
    known, scrub = {**correlation.get(), **event}, scrubber()
    for name, value in known.items():
        if type(value) is str:
            known[name] = scrub(value)
        elif value is not None and type(value) not in _KINDS:
            return None
    line: dict[str, Any] = log_fields.CONSTANTS | log_fields.of_trace(known)
    for name, value in known.items():
        field, hidden = _field(name)
        if hidden:
            line[field] = log_fields.HIDDEN
        elif value is not None:
            line[field] = value
    line |= {"@timestamp": datetime.now(UTC), "log.level": method, "log.logger": logger.name}
    try:
        return orjson.dumps(line, option=orjson.OPT_UTC_Z) + b"\n"
    except TypeError:  # a larger number, or half of a character, which the long way writes
        return None


@lru_cache(maxsize=1_000)
def _field(name: str) -> tuple[str, bool]:
    return log_fields.ecs_name(name), log_fields.is_secret(name)
