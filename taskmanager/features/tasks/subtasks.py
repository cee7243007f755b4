"""Subtasks: the limits of the hierarchy, and the progress of parents.

The progress of a parent is the number of its subtasks that are not cancelled, and the number of those that are done. A
subtask that was put into the trash together with its parent still counts, so it is counted after both are restored.
"""

from collections.abc import Callable, Container, Iterable, Sequence

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


class DependentTasks(Exception):
    """The result of changing these tasks depends on their order: they must be changed one after the other."""


def check_parents(placed: Sequence[tuple[Task, ObjectId]], *, new: Sequence[Task] = ()) -> None:
    """Check the new parent of each task. The number of queries depends on the levels, not on the tasks.

    Raises Invalid unless a parent is in the same project, makes no cycle, and is within MAX_DEPTH levels. `new`
    tasks are not stored, and a parent may be an earlier one of them. Raises DependentTasks when one of the tasks
    that are moved is above another.
    """
    if not placed:
        return
    drafts = {task.id: task for task in new}
    stored = Task.objects.alive().filter(id__in={parent_id for _, parent_id in placed if parent_id not in drafts})
    parents = drafts | {parent.id: parent for parent in stored}
    for task, parent_id in placed:
        if parent_id not in parents or parents[parent_id].project_id != task.project_id:
            raise Invalid("body.parent_id", "The project has no such task.", code="task.parent_unknown")
    known = _with_ancestors({parent.id: parent.parent_id for parent in parents.values()})
    for task, parent_id in placed:
        if task.id in _line(parent_id, known):
            raise Invalid("body.parent_id", "A task cannot be a subtask of itself.", code="task.parent_cycle")
    below = {} if new else levels_of([task.id for task, _ in placed], lambda: Task.objects.alive())
    for task, parent_id in placed:
        if len(_line(parent_id, known)) + len(below.get(task.id, [[task.id]])) > MAX_DEPTH:
            raise Invalid("body.parent_id", f"Tasks have at most {MAX_DEPTH} levels.", code="task.too_deep")
    if not new and not {task.id for task, _ in placed}.isdisjoint(known):
        raise DependentTasks


def _with_ancestors(known: dict[ObjectId, ObjectId | None]) -> dict[ObjectId, ObjectId | None]:
    """Return {task id: parent id} of these tasks and of all tasks above them, by one query for each level."""
    while missing := {parent_id for parent_id in known.values() if parent_id} - known.keys():
        found = dict(Task.objects(id__in=missing).scalar("id", "parent_id"))
        known = known | {task_id: found.get(task_id) for task_id in missing}
    return known


def _line(task_id: ObjectId | None, known: dict[ObjectId, ObjectId | None]) -> list[ObjectId]:
    """Return the ids of a task, its parent, the parent of that one, and so on."""
    found: list[ObjectId] = []
    while task_id is not None and task_id not in found:
        found.append(task_id)
        task_id = known.get(task_id)
    return found


def levels(task_id: ObjectId, among: Callable[[], TaskQuerySet]) -> list[list[ObjectId]]:
    """Return the ids of a task and of all its subtasks, level by level; `among` returns the tasks to search."""
    return levels_of([task_id], among)[task_id]


def levels_of(task_ids: Sequence[ObjectId], among: Callable[[], TaskQuerySet]) -> dict[ObjectId, list[list[ObjectId]]]:
    """Return {task id: its `levels`}, by one query for each level. Raises DependentTasks when one is below another."""
    tops, found = {task_id: task_id for task_id in task_ids}, {task_id: [[task_id]] for task_id in task_ids}
    last = list(task_ids)
    while rows := list(among().filter(parent_id__in=last).scalar("id", "parent_id")):
        last = [task_id for task_id, _ in rows]
        if not tops.keys().isdisjoint(last):
            raise DependentTasks
        below: dict[ObjectId, list[ObjectId]] = {}
        for task_id, parent_id in rows:
            tops[task_id] = tops[parent_id]
            below.setdefault(tops[parent_id], []).append(task_id)
        for top, level in below.items():
            found[top].append(level)
    return found


def below(task: Task) -> list[Task]:
    """Return all subtasks of a task as `below_each` does."""
    return below_each([task])[0]


def below_each(tasks: Sequence[Task]) -> list[list[Task]]:
    """Return all subtasks of each task, from the top down, each level in its order by hand.

    Raises Conflict (`task.too_many_subtasks`) beyond MAX_SUBTASKS of one task; DependentTasks when one is below
    another.
    """
    found = levels_of([task.id for task in tasks], lambda: Task.objects.alive())
    depths = {part: depth for parts in found.values() for depth, level in enumerate(parts[1:]) for part in level}
    for parts in found.values():
        if sum(map(len, parts[1:])) > MAX_SUBTASKS:
            raise Conflict(f"The task has more than {MAX_SUBTASKS} subtasks.", code="task.too_many_subtasks")
    stored = {part.id: part for part in Task.objects(id__in=list(depths))} if depths else {}
    return [
        sorted(
            (stored[part] for level in found[task.id][1:] for part in level),
            key=lambda one: (depths[one.id], one.position or "", one.id),
        )
        for task in tasks
    ]


def update_parent_progress(
    changed: Iterable[tuple[Task | None, Task | None]], actor: Actor | None, together: Container[ObjectId] = ()
) -> None:
    """Update the progress of the parents of tasks that were changed, in the open transaction, by two commands.

    `changed` are pairs of the task before and after its change: before is None for a new task, after for a deleted one.
    Raises DependentTasks when one of the parents is changed `together` with them: its revision and its progress depend
    on the order.
    """
    more: dict[ObjectId, list[int]] = {}
    for pair in changed:
        for parent_id in {task.parent_id for task in pair if task is not None and task.parent_id}:
            (total, done), (new_total, new_done) = (_counted(task, parent_id) for task in pair)
            if parent_id in together and (total, done) != (new_total, new_done):
                raise DependentTasks
            sums = more.setdefault(parent_id, [0, 0])
            more[parent_id] = [sums[0] + new_total - total, sums[1] + new_done - done]
    _add_progress({parent_id: sums for parent_id, sums in more.items() if any(sums)}, actor)


def _counted(task: Task | None, parent_id: ObjectId) -> tuple[int, int]:
    """Return what a task adds to the progress of a parent: (subtasks, done subtasks)."""
    if task is None or task.parent_id != parent_id or (task.deleted_at and not task.trashed_with):
        return 0, 0
    return int(task.status_group != "cancelled"), int(task.status_group == "done")


def _add_progress(more: dict[ObjectId, list[int]], actor: Actor | None) -> None:
    """Add to the progress of parents: {parent id: [subtasks, done subtasks]}."""
    parents = list(Task.objects(id__in=list(more))) if more else []  # without those that were purged
    before = [parent.progress or {"total": 0, "done": 0} for parent in parents]
    after = [
        {"total": was["total"] + more[parent.id][0], "done": was["done"] + more[parent.id][1]}
        for parent, was in zip(parents, before, strict=True)
    ]
    stored = Task.write_each(parents, [{"progress": progress} for progress in after])
    for parent, *values in zip(stored, before, after, strict=True):
        record(TaskProgressed(parent, actor, {"progress": values}))
