"""Taking an account that is no member any more off the tasks of a project."""

from typing import Any

from bson import ObjectId

from taskmanager.features.projects.members import service as members
from taskmanager.features.tasks.cleanup import values as value_cleanup
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder

_PEOPLE = {"assignee_ids": "a", "watcher_ids": "w"}
_BATCH = 500


def take_off(project_id: ObjectId, user_id: ObjectId) -> None:
    """Unassign and unwatch every task, also in the trash, a few in each transaction, and delete the reminders.

    Who has become a member again meanwhile keeps what is left. Safe to repeat.
    """
    for field, mark in _PEOPLE.items():
        value_cleanup.change_all(
            lambda mark=mark: _marked(project_id, user_id, f"{mark}:{user_id}"),
            lambda task, field=field: {field: [other for other in getattr(task, field) if other != user_id]},
        )
    if not members.are_members(project_id, [user_id]):
        _delete_reminders(project_id, user_id)


def _marked(project_id: ObjectId, user_id: ObjectId, mark: str) -> Any:
    """Return the tasks that are left to be changed; none for a member."""
    if members.are_members(project_id, [user_id]):
        return Task.objects.none()
    return Task.objects(project_id=project_id, marks=mark)


def _delete_reminders(project_id: ObjectId, user_id: ObjectId) -> None:
    task_ids = list(Reminder.objects(user_id=user_id).distinct("task_id"))
    for start in range(0, len(task_ids), _BATCH):
        here = Task.objects(id__in=task_ids[start : start + _BATCH], project_id=project_id).scalar("id")
        Reminder.objects(user_id=user_id, task_id__in=list(here)).delete()
