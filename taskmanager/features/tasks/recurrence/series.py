"""Series: the tasks that follow each other by one rule.

Only the completion of the newest open task of a series creates the next one. Reopening a task deletes the task that its
completion created, unless a user has touched that one: edited, assigned, moved, placed, watched, completed or deleted
it, or added comments, attachments, relations, subtasks or reminders. A touched task stays and continues the series;
then the reopened task creates no further one.
"""

from collections import Counter
from collections.abc import Collection, Sequence, Set
from typing import Any

from bson import ObjectId
from mongoengine import Q

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks import attached, subtasks
from taskmanager.features.tasks.events import TaskDeleted
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.tasks.reminders.models import Reminder


def check_independent(tasks: Sequence[Task]) -> None:
    """Raise DependentTasks when several of these tasks are of one recurring series."""
    recurring = [task for task in tasks if task.recurrence is not None or task.next_task_id is not None]
    if len({_series_of(task) for task in recurring}) < len(recurring):
        raise subtasks.DependentTasks


def carried_on(tasks: Sequence[Task]) -> set[ObjectId]:
    """Return the ids of those of these tasks whose series another task continues: its next task, or a newer open one.

    A next task that was deleted or cancelled does not count. Takes at most two queries.
    """
    next_ids = [task.next_task_id for task in tasks if task.next_task_id]
    groups = dict(Task.objects.alive().filter(id__in=next_ids).scalar("id", "status_group")) if next_ids else {}
    found = {task.id for task in tasks if groups.get(task.next_task_id, "cancelled") != "cancelled"}
    others = {_series_of(task): task for task in tasks if task.id not in found}
    return found | {others[member.series_id].id for member in _opened(others) if _is_later(member, others)}


def _opened(series_ids: Collection[ObjectId]) -> list[Task]:
    """Return the open tasks of some series."""
    if not series_ids:
        return []
    found = Task.objects.alive().filter(series_id__in=list(series_ids), status_group__in=OPEN_GROUPS)
    return list(found.only("series_id", "created_at"))


def _is_later(member: Task, tasks: dict[ObjectId, Task]) -> bool:
    """Return whether an open task is newer than the one of the same series in {series id: task}."""
    task = tasks[member.series_id]
    return bool((member.created_at, member.id) > (task.created_at, task.id))


def _series_of(task: Task) -> ObjectId:
    return task.series_id or task.id


def withdraw(tasks: Sequence[Task], actor: Actor, together: Set[ObjectId]) -> dict[ObjectId, dict[str, Any]]:
    """Delete the next tasks of tasks that are reopened, in the open transaction: {task id: changes of that task}.

    Their ids and keys are stored for the next completion. Raises DependentTasks when a next task or its parent is
    changed `together` with the tasks.
    """
    following = {task.next_task_id: task for task in tasks if task.next_task_id}
    successors = list(Task.objects.alive().filter(id__in=list(following))) if following else []
    kept = _touched(successors)
    withdrawn = [successor for successor in successors if successor.id not in kept]
    if not together.isdisjoint({one.id for one in successors} | {one.parent_id for one in withdrawn}):
        raise subtasks.DependentTasks
    _delete(withdrawn, following, actor)
    gone = following.keys() - {successor.id for successor in successors}
    changes: dict[ObjectId, dict[str, Any]] = {following[next_id].id: {"next_task_id": None} for next_id in gone}
    for one in withdrawn:
        fields = {"next_task_id": None, "withdrawn_id": one.id, "withdrawn_key": one.key}
        changes[following[one.id].id] = fields
    return changes


def _delete(successors: Sequence[Task], following: dict[ObjectId, Task], actor: Actor) -> None:
    """Delete successors; `following` has the task that each of them follows."""
    if not successors:
        return
    Task.delete_each(successors)
    for project_id, number in Counter(successor.project_id for successor in successors).items():
        projects.add_usage(project_id, tasks=-number)
    reminders.move_back([(successor, following[successor.id]) for successor in successors])
    subtasks.update_parent_progress([(successor, None) for successor in successors], actor)
    for successor in successors:
        record(TaskDeleted(successor, actor))


def _touched(tasks: Sequence[Task]) -> set[ObjectId]:
    """Return the ids of those of these tasks that a user has touched since the service created them."""
    ids = [task.id for task in tasks if not task.is_edited]
    edited = {task.id for task in tasks if task.is_edited}
    if not ids:
        return edited
    related = Relation.objects(Q(from_id__in=ids) | Q(to_id__in=ids)).scalar("from_id", "to_id")
    reminded = Reminder.objects(task_id__in=ids, carried__ne=True).distinct("task_id")
    parents = Task.objects(parent_id__in=ids).distinct("parent_id")
    return edited.union(parents, reminded, *related, attached.with_any(ids))


def to_copy(tasks: list[Task]) -> list[tuple[Task, bool]]:
    """Return the tasks that a copy of a project has, in the same order, each with whether its rule is copied too.

    Of a series these are the newest open task, with the rule, and the other open ones, without it; when all are closed,
    the newest one without the rule.
    """
    series: dict[ObjectId, list[Task]] = {}
    for task in tasks:
        series.setdefault(task.series_id or task.id, []).append(task)
    chosen: dict[ObjectId, bool] = {}
    for members in series.values():
        members = sorted(members, key=lambda member: (member.created_at, member.id))
        opened = [member for member in members if member.is_open]
        chosen |= {member.id: member is opened[-1] for member in opened} or {members[-1].id: False}
    return [(task, chosen[task.id]) for task in tasks if task.id in chosen]
