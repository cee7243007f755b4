"""Keep the counts: each write of a task changes them, in the same transaction.

Writers of one project also write the counter of its events, so the counts make no further transactions conflict.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne

from taskmanager.core.clock import now
from taskmanager.core.events import log
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
    return None if task is None else counted(partial(getattr, task))


def _store(changes: list[Change]) -> None:
    numbers: Numbers = Numbers()
    for before, after in changes:
        add(numbers, before, -1)
        add(numbers, after)
    if operations := updates(numbers):
        TaskCounts._get_collection().bulk_write(operations)


def updates(numbers: Numbers) -> list[UpdateOne]:
    """Return the updates that add `numbers` to the stored counts: of each project first the document of all tasks."""
    changed = sorted(((key, number) for key, number in numbers.items() if number), key=_order)
    found = []
    for project_id, of_project in groupby(changed, lambda item: item[0][0]):
        parts = {part: list(items) for part, items in groupby(of_project, lambda item: item[0][1])}
        found += [_update(project_id, part, parts.get(part, ())) for part in dict.fromkeys((None, *parts))]
    return found


def _order(item: tuple[tuple[ObjectId, Part, str], int]) -> tuple[ObjectId, str]:
    project_id, part, _ = item[0]
    return project_id, "" if part is None else str(part)


def _update(project_id: ObjectId, part: Part, items: Iterable[tuple[Any, int]]) -> UpdateOne:
    document = {"project_id": project_id, "week": None if isinstance(part, datetime) else part}
    increments = {path: number for (_, _, path), number in items}
    if part is None:
        return UpdateOne(
            document, {"$inc": increments | {"writes": 1}, "$setOnInsert": {"overdue_before": now()}}, upsert=True
        )
    if isinstance(part, datetime):
        return UpdateOne(document | {"overdue_before": {"$gt": part}}, {"$inc": increments})
    return UpdateOne(document, {"$inc": increments}, upsert=True)
