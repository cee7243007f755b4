"""Placing the whole days and local times of a project anew, after its time zone was changed."""

from bson import ObjectId

from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks.due import due_at
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders import service as reminders

_BATCH = 50


def place_dues(project_id: ObjectId) -> None:
    """Store the `due_at` of all tasks whose due names no zone, also in the trash, some in a transaction.

    May be repeated. Reminders follow. The revision of a task goes up, as clients see another `due_at`.
    """
    place = projects.timezone_of(project_id)
    rows = Task.objects(project_id=project_id, due_floating=True).scalar("id", "due", "due_at")
    wrong = [task_id for task_id, due, moment in rows if moment != due_at(due, place)]
    for start in range(0, len(wrong), _BATCH):
        _place(project_id, wrong[start : start + _BATCH])


@unit_of_work
def _place(project_id: ObjectId, task_ids: list[ObjectId]) -> None:
    place = projects.timezone_of(project_id)  # read again: it may have changed since
    tasks = list(Task.objects(id__in=task_ids, project_id=project_id, due_floating=True))
    placed = Task.write_each(tasks, [task.by_service(due_at=due_at(task.due, place)) for task in tasks])
    reminders.reschedule([(task, ["due"]) for task in placed])
