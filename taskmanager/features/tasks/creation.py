"""The one way in which tasks are made: by users, as what follows a recurring one, and as copies."""

from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.service import NextPlace
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.events import TaskCreated
from taskmanager.features.tasks.models import Task


def new_task(project: Project, place: NextPlace, values: dict[str, Any], *, task_id: ObjectId | None = None) -> Task:
    """Return a task at a place that `projects.next_places` gave, with all that follows from `values`; not stored.

    `values` are stored fields. Without `status`, which comes with its `status_group`, it has the project's first.
    """
    first = project.workflow.first
    values = {"status": first, "status_group": project.workflow.group_of(first)} | values
    task = Task(id=task_id or ObjectId(), project_id=project.id, key=place.key, position=place.position)
    task.created_at = task.updated_at = project.last_created_at
    for field, value in task.consequences(values, project.timezone).items():
        setattr(task, field, value)
    return task


def insert(task: Task, actor: Actor, **changes: Any) -> Task:
    """Store a new task, count it at its parent and record its creation, in the open transaction."""
    task.save(force_insert=True)
    subtasks.update_parent_progress(None, task, actor)
    record(TaskCreated(task, actor, {"assignee_ids": [[], task.assignee_ids], **changes}))
    return task
