"""Tasks that are parts of others: where they may stand, and what their parents tell of them.

A parent counts those of its subtasks that are not cancelled, and how many of them are done. What went into the trash
together with its parent still counts there, and so comes back with it.
"""

from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Conflict, Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.features.tasks.events import TaskProgressed
from taskmanager.features.tasks.models import Task

MAX_DEPTH = 5
MAX_SUBTASKS = 200  # tasks that go into the trash, or to another project, together


def visible(task_id: ObjectId, actor: Actor) -> BaseQuerySet:
    """Return the subtasks of a task. Raises NotFound unless the actor may see the task."""
    Task.objects.visible_to(actor).check_exists(task_id)
    return Task.objects.alive().filter(parent_id=task_id)


def check_parent(task: Task, parent_id: ObjectId | None) -> None:
    """Raise Invalid unless the task may be a part of this one: of its project, in no circle, at most five levels."""
    if parent_id is None:
        return
    parent = Task.objects.in_project(task.project_id).filter(id=parent_id).first()
    if parent is None:
        raise Invalid("body.parent_id", "The project has no such task.", code="task.parent_unknown")
    above = _above(parent)
    if task.id in above:
        raise Invalid("body.parent_id", "A task cannot be a part of itself.", code="task.parent_cycle")
    if len(above) + len(levels(task.id, lambda: Task.objects.alive())) > MAX_DEPTH:
        raise Invalid("body.parent_id", f"Tasks have at most {MAX_DEPTH} levels.", code="task.too_deep")


def _above(task: Task | None) -> list[ObjectId]:
    """Return itself and what it is a part of."""
    found: list[ObjectId] = []
    while task is not None and task.id not in found:
        found.append(task.id)
        task = Task.objects(id=task.parent_id).only("parent_id").first() if task.parent_id else None
    return found


def levels(task_id: ObjectId, among: Any) -> list[list[ObjectId]]:
    """Return the ids of a task and of all below it, level by level, among some tasks."""
    found = [[task_id]]
    while below := list(among().filter(parent_id__in=found[-1]).scalar("id")):
        found.append(below)
    return found


def below(task: Task) -> list[Task]:
    """Return all tasks that are parts of it, from the top down, each level in its order by hand.

    Raises Conflict (`task.too_many_subtasks`) beyond 200.
    """
    found = levels(task.id, lambda: Task.objects.alive())[1:]
    depths = {task_id: depth for depth, level in enumerate(found) for task_id in level}
    if len(depths) > MAX_SUBTASKS:
        raise Conflict(f"The task has more than {MAX_SUBTASKS} subtasks.", code="task.too_many_subtasks")
    return sorted(Task.objects(id__in=list(depths)), key=lambda one: (depths[one.id], one.position or "", one.id))


def update_parent_progress(before: Task | None, after: Task | None, actor: Actor | None) -> None:
    """Let the parents count what became of a task, in the open transaction."""
    for parent_id in {task.parent_id for task in (before, after) if task is not None and task.parent_id}:
        was, now_is = _counted(before, parent_id), _counted(after, parent_id)
        if was != now_is:
            _count(parent_id, now_is[0] - was[0], now_is[1] - was[1], actor)


def _counted(task: Task | None, parent_id: ObjectId) -> tuple[int, int]:
    """Return what a task adds to the numbers of its parent: subtasks, and done ones."""
    if task is None or task.parent_id != parent_id or (task.deleted_at and not task.trashed_with):
        return 0, 0
    return int(task.status_group != "cancelled"), int(task.status_group == "done")


def _count(parent_id: ObjectId, more: int, more_done: int, actor: Actor | None) -> None:
    parent = Task.objects(id=parent_id).first()
    if parent is None:  # purged
        return
    before = parent.progress or {"total": 0, "done": 0}
    after = {"total": before["total"] + more, "done": before["done"] + more_done}
    record(TaskProgressed(parent.write(progress=after), actor, {"progress": [before, after]}))
