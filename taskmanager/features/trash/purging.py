"""Purge tasks step by step, in small transactions; after a crash at any point the purge can be repeated.

The documents that belong to a task are deleted first, at most MAX_DOCUMENTS in one command, the task itself last.
"""

import time
from collections.abc import Callable

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.events import erasure
from taskmanager.core.events.log import Counter, record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.chunked_updates import delete_some
from taskmanager.core.storage.documents import Versioned
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.attachments import service as attachments
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.comments.models import Comment
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.events import TaskPurged
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet
from taskmanager.features.tasks.relations.models import Relation
from taskmanager.features.tasks.reminders.models import Reminder

MAX_DOCUMENTS = 500  # deleted by one command
MAX_TASKS = 100  # deleted by one transaction
_REFERENCES: tuple[tuple[type[Versioned], str], ...] = (
    (Comment, "task_id"),
    (Reminder, "task_id"),
    (Relation, "from_id"),
    (Relation, "to_id"),
)


@unit_of_work
def begin(task: Task, actor: Actor | None) -> Task:
    """Mark a task in the trash, and its subtasks there, as being purged: none of them can be restored any more.

    Raises PreconditionFailed when the task was restored meanwhile.
    """
    mark = {"purged_at": now(), "purged_by": actor and actor.user_id}
    marked = task.write(**mark)

    def among() -> TaskQuerySet:
        return Task.objects(trashed_with=task.trashed_with or task.id, purged_at=None)

    below = Task.objects(id__in=_below(task, among)) if task.trashed_with else among()
    Task.write_all(list(below), **mark, purged_with=task.id)
    return marked


def purge_tree(task: Task, actor: Actor | None, deadline: float) -> bool:
    """Purge the marked subtasks of a task, the deepest first, then the task, until `deadline` (monotonic clock).

    A marked task cannot be restored. Return whether the purge is finished.
    Raises PreconditionFailed when one of them was changed meanwhile.
    """
    for part_id in [*_parts(task), task.id]:
        if time.monotonic() > deadline:
            return False
        part = Task.objects(id=part_id).first()
        if part is not None:
            _delete_in_batches([part_id])
            _purge_one(part, actor, is_top=part_id == task.id)
    return True


def _parts(task: Task) -> list[ObjectId]:
    """Return the subtasks that were marked with a task, the deepest first."""

    def among() -> TaskQuerySet:
        return Task.objects(trashed_with=task.trashed_with or task.id, purged_with=task.id)

    below = _below(task, among)
    return [*among().filter(id__nin=below).scalar("id"), *below]


def _below(task: Task, among: Callable[[], TaskQuerySet]) -> list[ObjectId]:
    return [part_id for level in reversed(subtasks.levels(task.id, among)[1:]) for part_id in level]


@unit_of_work
def _purge_one(task: Task, actor: Actor | None, *, is_top: bool) -> None:
    """Delete a task and its few remaining documents, and update the progress of the parent of the top task.

    The parents of the other tasks are purged too, so their progress is not updated.
    """
    task.delete_unchanged()
    if is_top:
        subtasks.update_parent_progress([(task, None)], actor)
    projects.add_usage(task.project_id, tasks=-1, attachment_bytes=-attachments.bytes_of([task.id]))
    _delete_references([task.id])
    record(TaskPurged(task, actor, content_ids=attachments.delete_of_task(task.id)))


def purge_of_project(project_id: ObjectId) -> int:
    """Purge some tasks of a project that is being purged; return their number. Records no events. Safe to repeat."""
    task_ids = list(Task.objects(project_id=project_id).order_by("project_id", "key").limit(MAX_TASKS).scalar("id"))
    if task_ids:
        _delete_in_batches(task_ids)
        while attachments.purge(task_ids):
            pass
        if erasure.erase_subjects(*task_ids):  # also in the streams of their former projects
            delete_tasks(project_id, task_ids)
    return len(task_ids)


@unit_of_work
def delete_tasks(project_id: ObjectId, task_ids: list[ObjectId]) -> None:
    """Delete tasks, and the documents that a concurrent request added before the project was deleted.

    Such a request writes the counter of the project's events, as this transaction does: the later one of the two is run
    again, and finds no task. A task with an attachment is left for the next run.
    """
    Counter._get_collection().update_one({"_id": f"project:{project_id}"}, {"$inc": {"held": 1}})
    attached = set(Attachment.objects(task_id__in=task_ids).scalar("task_id"))
    in_project = Task.objects(id__in=task_ids, project_id=project_id).scalar("id")  # the others were moved meanwhile
    deletable = [task_id for task_id in in_project if task_id not in attached]
    _delete_references(deletable)
    Task.objects(id__in=deletable).delete()


def _delete_in_batches(task_ids: list[ObjectId]) -> None:
    """Delete the documents that belong to the tasks, at most MAX_DOCUMENTS in one command, without a transaction."""
    for model, field in _REFERENCES:
        while delete_some(model.objects(**{f"{field}__in": task_ids}), MAX_DOCUMENTS):
            pass


def _delete_references(task_ids: list[ObjectId]) -> None:
    for model, field in _REFERENCES:
        model._get_collection().delete_many({field: {"$in": task_ids}})
