"""Use cases of the trash: what was deleted can be restored until it is purged, by hand or after some days.

The key of a purged task is not given again: keys are counted, not searched for.
"""

import time
from datetime import timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import settings
from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.documents import Expected
from taskmanager.core.errors import Conflict, Invalid, PreconditionFailed
from taskmanager.core.events import record
from taskmanager.core.permissions import authorize
from taskmanager.core.querysets import Order, Page
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks import attachments, comments, relations, reminders, subtasks
from taskmanager.features.tasks.events import TaskPurged, TaskRestored
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction

_BATCH = 100
_MOST_SECONDS = 4


def find(order: Order, limit: int, *, actor: Actor, **page: Any) -> Page:
    """A page of what the actor may restore."""
    return _restorable(actor).page(order, limit, **page)


def total(*, actor: Actor) -> Any:
    """How many tasks the actor may restore."""
    return _restorable(actor).total()


@unit_of_work
def restore(task_id: ObjectId, *, actor: Actor) -> Task:
    """Take a task, and the subtasks that went with it, out of the trash; one that is not in it stays as it is.

    A subtask whose parent is gone for good stands by itself then. Raises NotFound, Forbidden, Conflict
    (`task.parent_in_trash`, `task.too_deep`).
    """
    task = _restorable(actor).filter(id=task_id).first() or Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.RESTORE, task)
    if task.deleted_at is None:
        return task
    before, task = task, task.write(deleted_at=None, trashed_with=None, parent_id=_parent_to_be(task))
    subtasks.tell_parents(before, task, actor)
    record(TaskRestored(task, actor))
    for part in Task.objects.in_trash().filter(trashed_with=task.id):
        record(TaskRestored(part.write(deleted_at=None, trashed_with=None), actor))
    return task


def _parent_to_be(task: Task) -> ObjectId | None:
    parent = task.parent_id and Task.objects(id=task.parent_id).first()
    if not parent:
        return None
    if parent.deleted_at is not None:
        raise Conflict("The task that it is a part of is in the trash: restore that.", code="task.parent_in_trash")
    try:
        subtasks.check_parent(task, parent.id)
    except Invalid:  # what was above it has moved meanwhile
        raise Conflict("It would stand too deep below other tasks.", code="task.too_deep") from None
    return parent.id


@unit_of_work
def purge(task_id: ObjectId, *, expected: Expected, actor: Actor) -> None:
    """Delete a task that is in the trash for good. Raises NotFound, Forbidden, PreconditionFailed."""
    task = _restorable(actor).one(task_id)
    authorize(actor, TaskAction.PURGE, task)
    task.expect(expected)
    _purge(task, actor)


def _restorable(actor: Actor) -> Any:
    """What is in the trash of projects where the actor may restore."""
    may = [project_id for project_id, role in actor.project_roles.items() if TaskAction.RESTORE.allows(role)]
    return Task.objects.in_trash().filter(project_id__in=may)


def purge_old() -> int:
    """Purge what has been in the trash for the operator's number of days; answers how many tasks.

    Ends after some seconds, so that the scheduler's other jobs get their turn; the next round goes on.
    """
    end, purged, last = now() - timedelta(days=settings.current().trash_days), 0, time.monotonic() + _MOST_SECONDS
    while time.monotonic() < last and (
        tasks := list(Task.objects.in_trash().filter(deleted_at__lt=end).order_by("deleted_at", "id").limit(_BATCH))
    ):
        purged += sum(_purge_unless_changed(task) for task in tasks)
    return purged


def _purge_unless_changed(task: Task) -> bool:
    try:
        _purge(task, None)
    except PreconditionFailed:  # restored at this very moment: the next round does not find it
        return False
    return True


@unit_of_work
def _purge(task: Task, actor: Actor | None) -> None:
    if not Task.objects(id=task.id, revision=task.revision).delete():
        raise PreconditionFailed
    subtasks.tell_parents(task, None, actor)
    projects.add_use(task.project_id, tasks=-1, attachment_bytes=-attachments.bytes_of(task.id))
    relations.forget(task.id)
    reminders.forget(task.id)
    comments.forget(task.id)
    record(TaskPurged(task, actor, content_ids=attachments.forget(task.id)))
    for part in Task.objects.in_trash().filter(trashed_with=task.id):
        _purge(part, actor)
