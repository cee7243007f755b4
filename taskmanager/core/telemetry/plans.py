"""The plans of slow commands: MongoDB is asked how it ran one, by a thread, at most every ten seconds.

The question is `explain` without execution: it costs the choice of a plan, for which MongoDB may try several ones on
some documents, and half a second at most. Of the plan the names of stages and indexes are kept: bounds have values of
people.
"""

import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import Context, copy_context
from typing import Any, NamedTuple

import pymongo
from mongoengine.connection import get_connection
from pymongo.errors import PyMongoError

_EXPLAINED = frozenset(("find", "aggregate", "count", "distinct", "update", "delete", "findAndModify"))
_OF_SESSIONS = frozenset(
    ("lsid", "txnNumber", "autocommit", "startTransaction", "stmtIds", "readConcern", "writeConcern", "maxTimeMS",
     "comment")
)  # fmt: skip
_INTERVAL_SECONDS, _EXPLAIN_SECONDS = 10.0, 0.5
_MAX_CHARACTERS = 500
Report = Callable[[str], None]


class _Slow(NamedTuple):
    """A command whose plan is asked for, and what reports it, in the context of its request."""

    database: str
    command: dict[str, Any]
    context: Context
    report: Report


class _Explaining:
    """The commands that wait, and when the next one is taken."""

    waiting: "queue.Queue[_Slow]" = queue.Queue(1)
    next_at = 0.0
    process = 0
    thread: threading.Thread | None = None


def explain(name: str, database: str, command: Mapping[str, Any], report: Report) -> bool:
    """Call `report` from a thread with the plan of the command, unless MongoDB says none.

    Return False, without calling it, for commands that have no plan, and for those soon after another.
    """
    moment = time.monotonic()
    if name not in _EXPLAINED or moment < _Explaining.next_at:
        return False
    if _Explaining.process != os.getpid():  # after a fork there is no thread, and one may have held the queue's lock
        _Explaining.waiting, _Explaining.thread, _Explaining.process = queue.Queue(1), None, os.getpid()
    own = {key: value for key, value in command.items() if key not in _OF_SESSIONS and not key.startswith("$")}
    try:
        _Explaining.waiting.put_nowait(_Slow(database, own, copy_context(), report))
    except queue.Full:
        return False
    _Explaining.next_at = moment + _INTERVAL_SECONDS
    if _Explaining.thread is None or not _Explaining.thread.is_alive():
        _Explaining.thread = threading.Thread(target=_run, daemon=True, name="slow-queries")
        _Explaining.thread.start()
    return True


def _run() -> None:
    while True:
        slow = _Explaining.waiting.get()
        if plan := _plan_of(slow):
            slow.context.run(slow.report, plan)


def _plan_of(slow: _Slow) -> str:
    """Return the plan of a command, such as `LIMIT < FETCH < IXSCAN order_due_at`; "" when MongoDB says none."""
    question = {"explain": slow.command, "verbosity": "queryPlanner", "maxTimeMS": int(_EXPLAIN_SECONDS * 1000)}
    try:
        with pymongo.timeout(_EXPLAIN_SECONDS):
            found = get_connection("default")[slow.database].command(question)
    except (PyMongoError, ValueError, TypeError):
        return ""
    return " < ".join(_stages(found))[:_MAX_CHARACTERS]


def _stages(part: Any) -> list[str]:
    """Return the names of the stages of a plan with the indexes that they read, from the last one to the first."""
    if not isinstance(part, Mapping):
        return []
    if "stages" in part:  # of an aggregation that its first stage does not answer alone
        return [text for stage in reversed(part["stages"]) for text in _of_aggregation(stage)]
    if "queryPlanner" in part:
        return _stages(part["queryPlanner"].get("winningPlan"))
    if "queryPlan" in part:  # of the slot-based engine
        return _stages(part["queryPlan"])
    if "stage" not in part:
        return []
    own = f"{part['stage']} {part['indexName']}" if "indexName" in part else str(part["stage"])
    inner = [part["inputStage"]] if "inputStage" in part else part.get("inputStages", [])
    return [own, *(text for each in inner[:5] for text in _stages(each))]


def _of_aggregation(stage: Mapping[str, Any]) -> list[str]:
    name = next(iter(stage), "")
    return _stages(stage[name]) if name == "$cursor" else [name.removeprefix("$")]
