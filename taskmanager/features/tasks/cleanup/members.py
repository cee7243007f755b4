"""Remove a former member from the tasks of a project."""

from functools import partial
from typing import Any

from bson import ObjectId

from taskmanager.features.projects.members import service as members
from taskmanager.features.tasks.cleanup import values as value_cleanup
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet
from taskmanager.features.tasks.reminders.models import Reminder

_TAGS = {"assignee_ids": "a", "watcher_ids": "w"}  # see index_tags_of
_BATCH = 500


def remove_member(project_id: ObjectId, user_id: ObjectId) -> None:
    """Remove a user as assignee and watcher of every task, also in the trash, and delete their reminders.

    Changes a few tasks in each transaction. Stops when the user becomes a member again. Safe to repeat.
    """
    for field, letter in _TAGS.items():
        value_cleanup.change_all(
            partial(_marked, project_id, user_id, f"{letter}:{user_id}"), partial(_without_user, field, user_id)
        )
    if not members.are_members(project_id, [user_id]):
        _delete_reminders(project_id, user_id)


def _without_user(field: str, user_id: ObjectId, task: Task) -> dict[str, Any]:
    return {field: [other for other in getattr(task, field) if other != user_id]}


def _marked(project_id: ObjectId, user_id: ObjectId, tag: str) -> TaskQuerySet:
    """Return the tasks that are still to be changed; none when the user is a member."""
    if members.are_members(project_id, [user_id]):
        return Task.objects.none()
    return Task.objects(project_id=project_id, index_tags=tag)


def _delete_reminders(project_id: ObjectId, user_id: ObjectId) -> None:
    task_ids = list(Reminder.objects(user_id=user_id).distinct("task_id"))
    for start in range(0, len(task_ids), _BATCH):
        in_project = Task.objects(id__in=task_ids[start : start + _BATCH], project_id=project_id).scalar("id")
        Reminder.objects(user_id=user_id, task_id__in=list(in_project)).delete()
