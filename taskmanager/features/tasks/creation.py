"""The one way to create a task: for a user, as the successor of a recurring task, or as a copy."""

from collections.abc import Sequence
from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.service import TaskKey
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.events import TaskCreated
from taskmanager.features.tasks.models import Task

_BLANK = Task()  # what follows from the values of a new task is what follows from their change in this one


def new_task(project: Project, place: TaskKey, values: dict[str, Any], *, task_id: ObjectId | None = None) -> Task:
    """Return a task, not stored, with a key and position from `projects.allocate_keys` and its computed fields.

    `values` are stored fields. `status` needs its `status_group` beside it; without `status` the task gets the first
    status of the project.
    """
    if "status" not in values:
        workflow = project.workflow
        values = values | {"status": workflow.first, "status_group": workflow.group_of(workflow.first)}
    moments = {"created_at": place.created_at, "updated_at": place.created_at}
    fixed = {"id": task_id or ObjectId(), "project_id": project.id, "key": place.key, "position": place.position}
    return Task(**fixed | moments | _BLANK.consequences(values, project.timezone))


def insert(tasks: Sequence[Task], actor: Actor, changes: Sequence[dict[str, list[Any]]] | None = None) -> None:
    """Store new tasks, update the progress of their parents and record `task.created`, in the open transaction.

    `changes` are further changes for the event of each task: {field: [before, after]}.
    """
    Task.insert_all(tasks)
    for task, more in zip(tasks, changes or [{} for _ in tasks], strict=True):
        record(TaskCreated(task, actor, {"assignee_ids": [[], task.plain_value("assignee_ids")], **more}))
    subtasks.update_parent_progress([(None, task) for task in tasks], actor)  # a parent may be one of the tasks
