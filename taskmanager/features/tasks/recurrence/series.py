"""Series: the tasks that follow each other by one rule.

Only the completion of the newest open task of a series creates the next one. Reopening a task deletes the task that its
completion created, unless a user has touched that one: edited, assigned, moved, placed, watched, completed or deleted
it, or added comments, attachments, relations, subtasks or reminders. A touched task stays and continues the series;
then the reopened task creates no further one.
"""

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


def is_carried_on(task: Task) -> bool:
    """Return whether another task continues the series: the next task of this one, or a newer open one.

    A next task that was deleted or cancelled does not count.
    """
    followed = task.next_task_id and Task.objects.alive().filter(id=task.next_task_id).first()
    if followed and followed.status_group != "cancelled":
        return True
    later = Q(created_at__gt=task.created_at) | Q(created_at=task.created_at, id__gt=task.id)
    members = Task.objects.alive().filter(series_id=task.series_id or task.id, status_group__in=OPEN_GROUPS)
    return members.filter(later).first() is not None


def withdraw(task: Task, actor: Actor) -> dict[str, Any]:
    """Delete the next task of a task that is reopened, in the open transaction, and return the changes of that task.

    Its id and key are stored for the next completion.
    """
    if task.next_task_id is None:
        return {}
    successor = Task.objects.alive().filter(id=task.next_task_id).first()
    if successor is None:
        return {"next_task_id": None}
    if _is_touched(successor):
        return {}
    successor.delete_unchanged()
    projects.add_usage(successor.project_id, tasks=-1)
    reminders.move_back(successor, task)
    subtasks.update_parent_progress(successor, None, actor)
    record(TaskDeleted(successor, actor))
    return {"next_task_id": None, "withdrawn_id": successor.id, "withdrawn_key": successor.key}


def _is_touched(task: Task) -> bool:
    """Return whether a user has touched a task since the service created it."""
    found = (
        Task.objects(parent_id=task.id),
        Relation.objects(Q(from_id=task.id) | Q(to_id=task.id)),
        Reminder.objects(task_id=task.id, carried__ne=True),
    )
    return task.is_edited or any(query.first() is not None for query in found) or attached.is_any(task.id)


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
