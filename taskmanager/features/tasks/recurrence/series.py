"""A series: the tasks that followed each other by one rule. At most one of them is followed when it is completed.

That is the one that was made last. Reopening a task takes back what its completion made, as long as that was not
touched by a user: not edited, assigned, moved, placed, completed or deleted, without comments, attachments, relations,
subtasks and reminders that a user set. What was touched stays and carries the series on; the reopened task is followed
no more.
"""

from typing import Any

from mongoengine import Q

from taskmanager.core.errors import PreconditionFailed
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
    """Return whether another task carries its series on: the one that followed it, or an open one made later.

    One that followed and was deleted or cancelled does not count.
    """
    followed = task.next_task_id and Task.objects.alive().filter(id=task.next_task_id).first()
    if followed and followed.status_group != "cancelled":
        return True
    later = Q(created_at__gt=task.created_at) | Q(created_at=task.created_at, id__gt=task.id)
    members = Task.objects.alive().filter(series_id=task.series_id or task.id, status_group__in=OPEN_GROUPS)
    return members.filter(later).first() is not None


def withdraw(task: Task, actor: Actor) -> dict[str, Any]:
    """Take back what followed a task that is opened again, in the open transaction; returns the changes of the task.

    The id and key are kept for when it is completed again.
    """
    if task.next_task_id is None:
        return {}
    made = Task.objects.alive().filter(id=task.next_task_id).first()
    if made is None:
        return {"next_task_id": None}
    if _is_touched(made):
        return {}
    if not Task.objects(id=made.id, revision=made.revision).delete():
        raise PreconditionFailed
    projects.add_use(made.project_id, tasks=-1)
    reminders.take_back(made, task)
    subtasks.update_parent_progress(made, None, actor)
    record(TaskDeleted(made, actor))
    return {"next_task_id": None, "withdrawn_id": made.id, "withdrawn_key": made.key}


def _is_touched(task: Task) -> bool:
    """Return whether a user has done anything with a task since the service made it."""
    found = (
        Task.objects(parent_id=task.id),
        Relation.objects(Q(from_id=task.id) | Q(to_id=task.id)),
        Reminder.objects(task_id=task.id, carried__ne=True),
    )
    return task.is_edited or any(query.first() is not None for query in found) or attached.is_any(task.id)


def to_copy(tasks: list[Task]) -> list[tuple[Task, bool]]:
    """Return which of a project's tasks a copy has, each with whether its rule goes along.

    Of a series that is the last open task, with the rule, and other open ones without; when all are closed, the last
    one without. `tasks` keep their order.
    """
    series: dict[Any, list[Task]] = {}
    for task in tasks:
        series.setdefault(task.series_id or task.id, []).append(task)
    chosen: dict[Any, bool] = {}
    for members in series.values():
        members = sorted(members, key=lambda member: (member.created_at, member.id))
        opened = [member for member in members if member.is_open]
        chosen |= {member.id: member is opened[-1] for member in opened} or {members[-1].id: False}
    return [(task, chosen[task.id]) for task in tasks if task.id in chosen]
