"""Levels of logs: of all loggers and of some, from the settings, and changed while the processes run.

`taskmanager log-level` writes them into a file that all processes of the machine look at every two seconds. The signal
SIGUSR1 lets one process log all for ten minutes, or until that file changes.
"""

import json
import logging
import threading
import time
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

_FILE = "levels"
_LOOK_SECONDS = 2.0
_NUMBERS = logging.getLevelNamesMapping()
# At DEBUG these log what people wrote: whole documents, texts of messages, numbers in URLs. Only when they are named.
_DISCREET = {"pymongo": "INFO", "apprise": "INFO", "urllib3": "INFO"}
_DEBUG_SECONDS = 600.0


class _Effective:
    """The level of all loggers, and {name of a logger: its level}."""

    default = logging.INFO
    named: dict[str, int] = {}
    watched: Path | None = None
    debugs_until = 0.0


def use(default: str, named: dict[str, str]) -> None:
    """Make these levels effective in this process, for structlog and the standard library."""
    named = _DISCREET | named if default == "DEBUG" else named
    for name in _Effective.named.keys() - named.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)
    _Effective.default = _NUMBERS[default]
    _Effective.named = {name: _NUMBERS[level] for name, level in named.items()}
    logging.getLogger().setLevel(_Effective.default)
    for name, level in _Effective.named.items():
        logging.getLogger(name).setLevel(level)


def drop_below_level(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop an event of structlog whose level is below that of its logger, or of a parent of that."""
    named = _Effective.named  # another thread may put changed levels in its place
    level, name = _Effective.default, logger.name if named else ""
    while name:
        if name in named:
            level = named[name]
            break
        name = name.rpartition(".")[0]
    if _NUMBERS[method.upper() if method != "exception" else "ERROR"] < level:
        raise structlog.DropEvent
    return event


def watch(folder: Path, default: str, named: dict[str, str]) -> None:
    """Follow the file in the folder from now on, in a thread; without one the given levels are effective."""
    if _Effective.watched is not None:
        return
    _Effective.watched = folder / _FILE
    threading.Thread(target=_follow, args=(default, named), daemon=True, name="log-levels").start()


def debug_for_a_while(*_: object) -> None:
    """Set the level of all loggers to DEBUG within two seconds, for ten minutes: for a signal (SIGUSR1).

    It is no toggle: processes that got different numbers of signals would never be in step again.
    """
    _Effective.debugs_until = time.monotonic() + _DEBUG_SECONDS


def _follow(default: str, named: dict[str, str]) -> None:
    file, seen, wait = _written_at(), ("", False), threading.Event()
    while True:
        if (found := _written_at()) != file:
            file, _Effective.debugs_until = found, 0.0
        text, debugs = now = _read(), time.monotonic() < _Effective.debugs_until
        if now != seen:
            changed = {"": "DEBUG"} if debugs else json.loads(text or "{}")
            use(changed.get("", default), named | {name: level for name, level in changed.items() if name})
            structlog.get_logger("taskmanager.logs").warning("levels changed", levels=changed)
            seen = now
        wait.wait(_LOOK_SECONDS)


def _written_at() -> int:
    with suppress(OSError):
        return _Effective.watched.stat().st_mtime_ns if _Effective.watched else 0
    return 0


def _read() -> str:
    with suppress(OSError, ValueError):
        text = _Effective.watched.read_text() if _Effective.watched else ""
        json.loads(text or "{}")
        return text
    return ""


def change(folder: Path, level: str, logger: str = "") -> dict[str, str]:
    """Set the level of a logger, or of all (""), for the processes of this machine; `reset` ends what was set before.

    Return {logger: level} of what differs from the settings now.
    """
    path = folder / _FILE
    with suppress(OSError, ValueError):
        found: dict[str, str] = json.loads(path.read_text())
    if not path.exists() or level == "reset":
        found = {}
    if level != "reset":
        found[logger] = level
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(found) if found else "")
    draft.replace(path)
    return found
