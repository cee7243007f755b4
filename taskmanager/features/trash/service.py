"""Use cases of the trash: what was deleted can be restored until it is purged, by hand or after some days.

A purge begins with a mark, after which the task cannot be restored; then its subtasks go, the deepest first, and the
task last (see `purging`). The key of a purged task is not given again: keys are counted, not searched for.
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
from taskmanager.features.projects.trash.service import not_put_off, put_off
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.events import TaskRestored
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.trash import purging

_BATCH = 100
_MAX_SECONDS = 4  # of one round, so that the scheduler's other jobs get their turn
_MAX_REQUEST_SECONDS = 0.5  # what is left then is done by the next round


def visible(actor: Actor) -> BaseQuerySet:
    """Return what is in the trash of the projects where the actor may restore."""
    may = [project_id for project_id, role in actor.project_roles.items() if TaskAction.RESTORE.allows(role)]
    return Task.objects.in_trash().filter(project_id__in=may)


@unit_of_work
def restore(task_id: ObjectId, *, actor: Actor) -> Task:
    """Take a task, and the subtasks that went with it, out of the trash; one that is not in it stays as it is.

    A subtask whose parent is gone for good stands by itself then. Raises NotFound, Forbidden, Conflict
    (`task.parent_in_trash`, `task.too_deep`).
    """
    task = visible(actor).filter(id=task_id).first() or Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.RESTORE, task)
    if task.deleted_at is None:
        return task
    before, task = task, task.write(deleted_at=None, trashed_with=None, parent_id=_parent_to_be(task))
    subtasks.update_parent_progress(before, task, actor)
    record(TaskRestored(task, actor))
    parts = list(Task.objects.in_trash().filter(trashed_with=task.id))
    for part in Task.write_each(parts, [{"deleted_at": None, "trashed_with": None}] * len(parts)):
        record(TaskRestored(part, actor))
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


def purge(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a task that is in the trash for good, with its subtasks. Raises NotFound, Forbidden, PreconditionFailed.

    From now on it cannot be restored. What takes longer than a request may is done by the next round.
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
    """Go on with purges that were begun, and purge what has been in the trash for the operator's number of days.

    Return of how many trees of tasks. Ends after some seconds, so that the scheduler's other jobs get their turn; the
    next round goes on. One that fails is logged and put off.
    """
    purged, last = 0, time.monotonic() + _MAX_SECONDS
    for task in _to_purge():
        purged += _purge_safely(task, None, last)
        if time.monotonic() > last:
            break
    return purged


def _to_purge() -> Iterator[Task]:
    """Yield those whose purge was begun, then those whose days in the trash are over."""
    end = now() - timedelta(days=settings.current().trash_days)
    tops = {"purged_at": {"$exists": True}, "purged_with": None}
    begun = Task.objects(__raw__=tops | not_put_off()).order_by("purged_at", "id")
    old = Task.objects.in_trash().filter(deleted_at__lt=end, __raw__=not_put_off()).order_by("deleted_at", "id")
    for tasks in (begun, old):
        while found := list(tasks.clone().limit(_BATCH)):
            yield from found
            if len(found) < _BATCH:
                break


def _purge_safely(task: Task, actor: Actor | None, last: float) -> bool:
    """Purge a task until `last`; return whether nothing is left. One that fails holds up no other."""
    try:
        if task.purged_at is None:
            task = purging.begin(task, None)
        return purging.purge_tree(task, actor, last)
    except PreconditionFailed:  # restored at this very moment, or another is at it: the next round looks again
        return False
    except Exception:
        put_off(task)
        return False
