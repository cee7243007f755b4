"""Keep the counts: each write of a task changes them, in the same transaction.

Writers of one project also write the counter of its events, so the counts make no further transactions conflict.
"""

from collections.abc import Iterable
from datetime import datetime
from operator import itemgetter
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events import log
from taskmanager.core.storage.chunked_updates import update_each
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import before_commit
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import CountedTask, Numbers, Part, add, counted

Change = tuple[CountedTask | None, CountedTask | None]


def count(pairs: Iterable[tuple[Any, Any]]) -> None:
    """Count writes when the unit of work ends: pairs of a task before and after a write, None when there is none.

    Also changes the generation of the projects (see `log.generation`), which lists depend on.
    """
    project_ids = set()
    for before, after in pairs:
        project_ids |= {task.project_id for task in (before, after) if task is not None}
        change = _counted(before), _counted(after)
        if change[0] != change[1]:
            before_commit(_store, change)
    for project_id in project_ids:
        log.touch(f"project:{project_id}")


def _counted(task: Any) -> CountedTask | None:
    return None if task is None else counted(task.plain_value)


def _store(changes: list[Change]) -> None:
    numbers: Numbers = Numbers()
    for before, after in changes:
        add(numbers, before, -1)
        add(numbers, after)
    if operations := updates(numbers):
        update_each(TaskCounts._get_collection(), operations)


def updates(numbers: Numbers) -> list[Row]:
    """Return what `update_each` adds to the stored counts: of each project first to the document of all tasks."""
    found: dict[ObjectId, dict[Part, dict[str, int]]] = {}
    for (project_id, part, path), number in numbers.items():
        if number:
            found.setdefault(project_id, {None: {}}).setdefault(part, {})[path] = number
    return [
        _update(project_id, part, increments)
        for project_id, parts in sorted(found.items(), key=itemgetter(0))
        for part, increments in sorted(parts.items(), key=_order)
    ]


def _order(item: tuple[Part, dict[str, int]]) -> str:
    return "" if item[0] is None else str(item[0])


def _update(project_id: ObjectId, part: Part, increments: dict[str, int]) -> Row:
    document = {"project_id": project_id, "week": None if isinstance(part, datetime) else part}
    if part is None:
        update = {"$inc": increments | {"writes": 1}, "$setOnInsert": {"overdue_before": now()}}
        return {"q": document, "u": update, "upsert": True}
    if isinstance(part, datetime):
        return {"q": document | {"overdue_before": {"$gt": part}}, "u": {"$inc": increments}}
    return {"q": document, "u": {"$inc": increments}, "upsert": True}
