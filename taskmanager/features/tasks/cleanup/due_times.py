"""Update the due times of the tasks of a project after its time zone was changed."""

from bson import ObjectId

from taskmanager.core.events.log import record
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks.due import due_at
from taskmanager.features.tasks.events import TaskRescheduled
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders import service as reminders

_BATCH = 50


def update_due_times(project_id: ObjectId) -> None:
    """Store the new `due_at` of all tasks whose due has no zone, also in the trash, _BATCH tasks in each transaction.

    Safe to repeat. Reschedules the reminders. Raises the revision of a task, because clients see another `due_at`.
    """
    timezone = projects.timezone_of(project_id)
    rows = Task.objects(project_id=project_id, due_floating=True).scalar("id", "due", "due_at")
    outdated = [task_id for task_id, due, moment in rows if moment != due_at(due, timezone)]
    for start in range(0, len(outdated), _BATCH):
        _update(project_id, outdated[start : start + _BATCH])


@unit_of_work
def _update(project_id: ObjectId, task_ids: list[ObjectId]) -> None:
    timezone = projects.timezone_of(project_id)  # read again: it may have changed since
    tasks = list(Task.objects(id__in=task_ids, project_id=project_id, due_floating=True))
    updated = Task.write_each(tasks, [task.by_service(due_at=due_at(task.due, timezone)) for task in tasks])
    reminders.reschedule([(task, ["due"]) for task in updated])
    for before, task in zip(tasks, updated, strict=True):
        record(TaskRescheduled(task, None, {"due_at": [before.due_at, task.due_at]}))
