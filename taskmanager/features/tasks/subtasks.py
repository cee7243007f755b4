"""Subtasks: the limits of the hierarchy, and the progress of parents.

The progress of a parent is the number of its subtasks that are not cancelled, and the number of those that are done. A
subtask that was put into the trash together with its parent still counts, so it is counted after both are restored.
"""

from collections.abc import Callable

from bson import ObjectId

from taskmanager.core.errors import Conflict, Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.features.tasks.events import TaskProgressed
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet

MAX_DEPTH = 5
MAX_SUBTASKS = 200  # tasks that are deleted, or moved to another project, together


def visible(task_id: ObjectId, actor: Actor) -> BaseQuerySet:
    """Return the subtasks of a task. Raises NotFound unless the actor may see the task."""
    Task.objects.visible_to(actor).check_exists(task_id)
    return Task.objects.alive().filter(parent_id=task_id)


def check_parent(task: Task, parent_id: ObjectId | None) -> None:
    """Raise Invalid unless the parent is in the same project, makes no cycle, and is within MAX_DEPTH levels."""
    if parent_id is None:
        return
    parent = Task.objects.in_project(task.project_id).filter(id=parent_id).first()
    if parent is None:
        raise Invalid("body.parent_id", "The project has no such task.", code="task.parent_unknown")
    above = _above(parent)
    if task.id in above:
        raise Invalid("body.parent_id", "A task cannot be a subtask of itself.", code="task.parent_cycle")
    if len(above) + len(levels(task.id, lambda: Task.objects.alive())) > MAX_DEPTH:
        raise Invalid("body.parent_id", f"Tasks have at most {MAX_DEPTH} levels.", code="task.too_deep")


def _above(task: Task | None) -> list[ObjectId]:
    """Return the ids of a task, its parent, the parent of that one, and so on."""
    found: list[ObjectId] = []
    while task is not None and task.id not in found:
        found.append(task.id)
        task = Task.objects(id=task.parent_id).only("parent_id").first() if task.parent_id else None
    return found


def levels(task_id: ObjectId, among: Callable[[], TaskQuerySet]) -> list[list[ObjectId]]:
    """Return the ids of a task and of all its subtasks, level by level; `among` returns the tasks to search."""
    found = [[task_id]]
    while below := list(among().filter(parent_id__in=found[-1]).scalar("id")):
        found.append(below)
    return found


def below(task: Task) -> list[Task]:
    """Return all subtasks of a task, from the top down, each level in its order by hand.

    Raises Conflict (`task.too_many_subtasks`) beyond MAX_SUBTASKS.
    """
    found = levels(task.id, lambda: Task.objects.alive())[1:]
    depths = {task_id: depth for depth, level in enumerate(found) for task_id in level}
    if len(depths) > MAX_SUBTASKS:
        raise Conflict(f"The task has more than {MAX_SUBTASKS} subtasks.", code="task.too_many_subtasks")
    return sorted(Task.objects(id__in=list(depths)), key=lambda one: (depths[one.id], one.position or "", one.id))


def update_parent_progress(before: Task | None, after: Task | None, actor: Actor | None) -> None:
    """Update the progress of the parents of a task that was changed, in the open transaction.

    `before` is None for a new task, `after` for a deleted one.
    """
    for parent_id in {task.parent_id for task in (before, after) if task is not None and task.parent_id}:
        old, new = _counted(before, parent_id), _counted(after, parent_id)
        if old != new:
            _count(parent_id, new[0] - old[0], new[1] - old[1], actor)


def _counted(task: Task | None, parent_id: ObjectId) -> tuple[int, int]:
    """Return what a task adds to the progress of a parent: (subtasks, done subtasks)."""
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
