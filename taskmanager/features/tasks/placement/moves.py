"""Move a task, with its subtasks, to another project."""

from collections.abc import Iterator
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects, values
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Label, Project
from taskmanager.features.projects.service import TaskKey
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks import attached, subtasks
from taskmanager.features.tasks.events import TaskMovedIn, TaskMovedOut
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.tasks.relations import acyclic
from taskmanager.features.tasks.reminders import service as reminders


@unit_of_work
def move(task_id: ObjectId, project_id: ObjectId, *, actor: Actor) -> Task:
    """Move a task and its subtasks to another project; a task that is there already stays as it is.

    Each task gets a new key, and is still found by the old one. A status that the other project does not have becomes
    the first of the same group. Labels are matched by name, custom fields by key where the value is valid. Assignees
    and watchers that are no members there are removed.
    Raises NotFound, Forbidden, Invalid (`task.project_unknown`), Conflict (`task.too_many_subtasks`,
    `quota.…`).
    """
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.DELETE, task)
    if actor.role_in(project_id) is None:
        raise Invalid("body.project_id", "You see no such project.", code="task.project_unknown")
    authorize(actor, TaskAction.CREATE, Task(project_id=project_id))
    if task.project_id == project_id:
        return task
    projects.order_writers(task.project_id, project_id)
    for locked_id in sorted((task.project_id, project_id)):
        acyclic.lock(locked_id)
    moved = _move([task, *subtasks.below(task)], project_id, actor)
    subtasks.update_parent_progress([(task, moved)], actor)
    return moved


def _move(tasks: list[Task], project_id: ObjectId, actor: Actor) -> Task:
    """Move a task and all tasks below it, and return the first. The number of commands does not grow with the tasks."""
    project, places = projects.allocate_keys(project_id, len(tasks))
    differences = [
        task.differences(task.consequences(changes | _placed(place), project.timezone))
        for task, place, changes in zip(tasks, places, _translated(tasks, project), strict=True)
    ]
    moved = Task.write_each(tasks, [{field: after for field, (_, after) in one.items()} for one in differences])
    size = attached.bytes_of([task.id for task in tasks])
    projects.add_usage(project.id, attachment_bytes=size)
    projects.add_usage(tasks[0].project_id, tasks=-len(tasks), attachment_bytes=-size)
    reminders.reschedule(list(zip(moved, differences, strict=True)))
    for before, after, changed in zip(tasks, moved, differences, strict=True):
        changes = {field: changed[field] for field in changed.keys() & {"assignee_ids", "watcher_ids"}}
        record(TaskMovedOut(before, actor, {"project_id": [before.project_id, project.id], **changes}))
        record(TaskMovedIn(after, actor, changed))
    return moved[0]


def _placed(place: TaskKey) -> dict[str, Any]:
    return {"key": place.key, "position": place.position}


def _translated(tasks: list[Task], project: Project) -> Iterator[dict[str, Any]]:
    """Yield the changes of each task that adapt it to another project; the first task loses its parent."""
    named = {user_id for task in tasks for user_id in (*task.assignee_ids, *task.watcher_ids)}
    people = set(members.member_ids_among(project.id, list(named)))
    labels = _labels(tasks, project)
    fields = values.valid_custom_fields(project.id, [task.custom_fields for task in tasks])
    for task, custom_fields in zip(tasks, fields, strict=True):
        yield {
            "project_id": project.id,
            "former_keys": [*task.former_keys, task.key],
            "parent_id": None if task is tasks[0] else task.parent_id,
            "label_ids": [label_id for one in task.label_ids for label_id in labels.get(one, ())],
            "custom_fields": custom_fields,
            "assignee_ids": [user_id for user_id in task.assignee_ids if user_id in people],
            "watcher_ids": [user_id for user_id in task.watcher_ids if user_id in people],
            **_status(task, project.workflow),
        }


def _status(task: Task, workflow: Workflow) -> dict[str, str]:
    if workflow.group_of(task.status) == task.status_group:
        return {"status": task.status}
    same = [status["key"] for status in workflow.statuses if status["group"] == task.status_group]
    status = same[0] if same else workflow.done if task.status_group == "cancelled" else workflow.first
    return {"status": status, "status_group": str(workflow.group_of(status))}


def _labels(tasks: list[Task], project: Project) -> dict[ObjectId, list[ObjectId]]:
    """Return the labels of a project by those of the tasks with the same names: {id in a task: ids in the project}."""
    ids = {label_id for task in tasks for label_id in task.label_ids}
    keys = dict(Label.objects(id__in=list(ids)).scalar("id", "name_key")) if ids else {}
    called = values.label_ids_by_name(keys.values(), [project.id])
    return {label_id: called.get(key, []) for label_id, key in keys.items()}
