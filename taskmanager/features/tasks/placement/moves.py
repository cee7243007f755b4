"""Moving a task, with its subtasks, to another project, and what follows from that."""

from typing import Any

from bson import ObjectId

from taskmanager.core import fractional
from taskmanager.core.errors import Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects, values
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Label, Project
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks import attached, subtasks
from taskmanager.features.tasks.events import TaskMovedIn, TaskMovedOut
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.tasks.relations import acyclic
from taskmanager.features.tasks.reminders import service as reminders


@unit_of_work
def move(task_id: ObjectId, project_id: ObjectId, *, actor: Actor) -> Task:
    """Move a task and its subtasks to another project; one that is there stays as it is.

    Each gets a new key, and is still found by the old one. A status that the other project does not have becomes the
    first of the same group; labels are taken over by name, custom fields by key where the value fits; people who are
    no members there are dropped.
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
    parts = subtasks.below(task)
    moved = _move(task, project_id, actor, parent_id=None)
    subtasks.tell_parents(task, moved, actor)
    for part in parts:
        _move(part, project_id, actor, parent_id=part.parent_id)
    return moved


def _move(task: Task, project_id: ObjectId, actor: Actor, parent_id: ObjectId | None) -> Task:
    for place in sorted((task.project_id, project_id)):
        acyclic.hold(place)
    project = projects.next_number(project_id)
    changes = {
        "project_id": project.id,
        "key": f"{project.key}-{project.last_number}",
        "former_keys": [*task.former_keys, task.key],
        "position": fractional.at(project.last_position),
        "parent_id": parent_id,
        "label_ids": _labels(task.label_ids, project),
        "custom_fields": _fitting(task.custom_fields, project),
        "assignee_ids": members.who_are_members(project.id, task.assignee_ids),
        "watcher_ids": members.who_are_members(project.id, task.watcher_ids),
        **_status(task, project.workflow),
    }
    differences = task.differences(task.consequences(changes, project.timezone))
    moved = task.write(**{field: after for field, (_, after) in differences.items()})
    projects.add_use(project.id, attachment_bytes=(size := attached.bytes_of(task.id)))
    projects.add_use(task.project_id, tasks=-1, attachment_bytes=-size)
    reminders.reschedule(moved, differences)
    people = {field: differences[field] for field in ("assignee_ids", "watcher_ids") if field in differences}
    record(TaskMovedOut(task, actor, {"project_id": [task.project_id, project.id], **people}))
    record(TaskMovedIn(moved, actor, differences))
    return moved


def _status(task: Task, workflow: Workflow) -> dict[str, str]:
    if workflow.group_of(task.status) == task.status_group:
        return {"status": task.status}
    same = [status["key"] for status in workflow.statuses if status["group"] == task.status_group]
    status = same[0] if same else workflow.done if task.status_group == "cancelled" else workflow.first
    return {"status": status, "status_group": str(workflow.group_of(status))}


def _labels(label_ids: list[ObjectId], project: Project) -> list[ObjectId]:
    keys = Label.objects(id__in=label_ids).scalar("name_key") if label_ids else []
    return [label_id for ids in values.labels_called(keys, [project.id]).values() for label_id in ids]


def _fitting(custom_fields: dict[str, Any], project: Project) -> dict[str, Any]:
    kept = {}
    for key, value in custom_fields.items():
        try:
            values.check_values(project.id, {key: value})
        except Invalid:
            continue
        kept[key] = value
    return kept
