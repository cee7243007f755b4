"""Use cases of the trash: deleted tasks can be restored until they are purged, by a user or after some days.

A purge first marks the task, which then cannot be restored, and deletes its subtasks, the deepest first, and the task
last (see `purging`). The key of a purged task is not used again: keys come from a counter.
"""

import time
from collections.abc import Iterator
from datetime import timedelta

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid, PreconditionFailed
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.trash.service import not_put_off, put_off
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.events import TaskRestored
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.trash import purging

_BATCH = 100
_MAX_SECONDS = 4  # of one run, so that the scheduler's other jobs are not delayed
_MAX_REQUEST_SECONDS = 0.5  # the next run of the job does the rest


def visible(actor: Actor) -> BaseQuerySet:
    """Return the deleted tasks of the projects where the actor may restore tasks."""
    project_ids = [project_id for project_id, role in actor.project_roles.items() if TaskAction.RESTORE.allows(role)]
    return Task.objects.in_trash().filter(project_id__in=project_ids)


@unit_of_work
def restore(task_id: ObjectId, *, actor: Actor) -> Task:
    """Restore a task, and the subtasks that were deleted with it; a task that is not in the trash stays as it is.

    A subtask whose parent was purged has no parent afterwards. Raises NotFound, Forbidden, Conflict
    (`task.parent_in_trash`, `task.too_deep`).
    """
    task = visible(actor).filter(id=task_id).first() or Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.RESTORE, task)
    if task.deleted_at is None:
        return task
    projects.order_writers(task.project_id)
    before, task = task, task.write(deleted_at=None, trashed_with=None, parent_id=_parent_id(task))
    subtasks.update_parent_progress([(before, task)], actor)
    record(TaskRestored(task, actor))
    parts = list(Task.objects.in_trash().filter(trashed_with=task.id))
    for part in Task.write_each(parts, [{"deleted_at": None, "trashed_with": None}] * len(parts)):
        record(TaskRestored(part, actor))
    return task


def _parent_id(task: Task) -> ObjectId | None:
    """Return the parent of a task that is restored. Raises Conflict."""
    parent = task.parent_id and Task.objects(id=task.parent_id).first()
    if not parent:
        return None
    if parent.deleted_at is not None:
        raise Conflict("The parent of this task is in the trash: restore the parent.", code="task.parent_in_trash")
    try:
        subtasks.check_parents([(task, parent.id)])
    except Invalid:  # the tasks above it were moved meanwhile
        raise Conflict("The task would be too deep below other tasks.", code="task.too_deep") from None
    return parent.id


def purge(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Purge a task that is in the trash, with its subtasks. Raises NotFound, Forbidden, PreconditionFailed.

    From now on it cannot be restored. The next run of the job does what takes longer than _MAX_REQUEST_SECONDS.
    """
    marked = _begin(task_id, if_match=if_match, actor=actor)
    _purge_safely(marked, actor, time.monotonic() + _MAX_REQUEST_SECONDS)


@unit_of_work
def _begin(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Task:
    task = visible(actor).one(task_id)
    authorize(actor, TaskAction.PURGE, task)
    task.check_revision(if_match)
    return purging.begin(task, actor)


def purge_old() -> int:
    """Continue purges that were begun, and purge tasks that have been in the trash for `trash_days`.

    Return the number of purged tasks, without subtasks. Ends after _MAX_SECONDS; the next run continues. A purge that
    fails is logged and postponed.
    """
    purged, deadline = 0, time.monotonic() + _MAX_SECONDS
    for task in _to_purge():
        purged += _purge_safely(task, None, deadline)
        if time.monotonic() > deadline:
            break
    return purged


def _to_purge() -> Iterator[Task]:
    """Yield the tasks whose purge was begun, then those whose days in the trash are over."""
    end = now() - timedelta(days=settings.current().trash_days)
    tops = {"purged_at": {"$exists": True}, "purged_with": None}
    begun = Task.objects(__raw__=tops | not_put_off()).order_by("purged_at", "id")
    old = Task.objects.in_trash().filter(deleted_at__lt=end, __raw__=not_put_off()).order_by("deleted_at", "id")
    for tasks in (begun, old):
        while found := list(tasks.clone().limit(_BATCH)):
            yield from found
            if len(found) < _BATCH:
                break


def _purge_safely(task: Task, actor: Actor | None, deadline: float) -> bool:
    """Purge a task until `deadline`; return whether it is finished. A purge that fails is postponed, not raised."""
    try:
        if task.purged_at is None:
            task = purging.begin(task, None)
        return purging.purge_tree(task, actor, deadline)
    except PreconditionFailed:  # restored, or purged by another process, at the same time: the next run checks again
        return False
    except Exception:
        put_off(task)
        return False
