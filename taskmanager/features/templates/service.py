"""The use case that copies a project, with or without its tasks: any project can be a template."""

from collections import Counter
from typing import Any, TypeVar

from bson import ObjectId

from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.unit_of_work import long_unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.events import CustomFieldCreated, LabelCreated, ProjectFact
from taskmanager.features.projects.models import CustomField, Label, Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.tasks import creation
from taskmanager.features.tasks.events import TaskCreated
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.recurrence import series

MAX_TASKS = 500
MAX_SECONDS = 4.0  # of a transaction with MAX_TASKS tasks and a thousand labels
_TASK_FIELDS = (
    "title",
    "description",
    "priority",
    "estimate_minutes",
    "start_at",
    "due",
    "due_timezone",
    "due_timezone_chosen",
    "recurrence",
    "recurs_from",
    "recurs_at",
    "custom_fields",
)
_RULE_FIELDS = ("recurrence", "recurs_from", "recurs_at")
_PROJECT_FIELDS = ("description", "color", "statuses", "timezone")

Item = TypeVar("Item", Label, CustomField)


@long_unit_of_work(MAX_SECONDS)
def copy(project_id: ObjectId, data: dict[str, Any], *, with_tasks: bool, actor: Actor) -> Project:
    """Copy a project with its workflow, labels, custom fields and optionally its tasks; the actor owns the copy.

    The copied tasks are open and unassigned. Tasks in the trash are not copied, and of a series only the tasks that
    `series.to_copy` chooses. Raises NotFound, Forbidden, Conflict
    (`project.key_taken`, `project.too_large` beyond MAX_TASKS), ScopeMissing.
    """
    source = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.COPY, source)
    copied = projects.create({name: getattr(source, name) for name in _PROJECT_FIELDS} | data, actor=actor)
    labels = _copy_all(Label, source, copied, LabelCreated, actor)
    _copy_all(CustomField, source, copied, CustomFieldCreated, actor)
    if with_tasks:
        _copy_tasks(source, copied, labels, actor)
    return copied


def _copy_all(
    model: type[Item], source: Project, project: Project, fact: type[ProjectFact], actor: Actor
) -> dict[ObjectId, ObjectId]:
    """Copy the labels or custom fields of a project; return the ids of the copies by those of the originals."""
    originals = list(model.objects(project_id=source.id))
    copies = [_copy(item, project) for item in originals]
    model.insert_all(copies)
    for copied in copies:
        record(fact(copied, actor))
    return {item.id: copied.id for item, copied in zip(originals, copies, strict=True)}


def _copy(item: Item, project: Project) -> Item:
    fields = {name: getattr(item, name) for name in ("name", "key", "type", "options", "color") if hasattr(item, name)}
    return type(item)(id=ObjectId(), project_id=project.id, **fields)


def _copy_tasks(source: Project, copied: Project, labels: dict[ObjectId, ObjectId], actor: Actor) -> None:
    tasks = list(Task.objects.in_project(source.id).order_by("position", "id").limit(MAX_TASKS + 1))
    if len(tasks) > MAX_TASKS:
        raise Conflict(f"The project has more than {MAX_TASKS} tasks.", code="project.too_large")
    chosen = series.to_copy(tasks)
    tasks, recurring = [task for task, _ in chosen], {task.id for task, with_rule in chosen if with_rule}
    ids = {task.id: ObjectId() for task in tasks}
    counts = Counter(task.parent_id for task in tasks)
    project, places = projects.allocate_keys(copied.id, len(tasks))
    copies = []
    for task, place in zip(tasks, places, strict=True):
        names = [name for name in _TASK_FIELDS if task.id in recurring or name not in _RULE_FIELDS]
        values = {name: getattr(task, name) for name in names}
        values |= {
            "reporter_id": actor.user_id,
            "label_ids": [labels[label_id] for label_id in task.label_ids if label_id in labels],
            "parent_id": ids.get(task.parent_id),
            "progress": {"total": counts[task.id], "done": 0} if counts[task.id] else {},
        }
        copies.append(creation.new_task(project, place, values, task_id=ids[task.id]))
    Task.insert_all(copies)
    for copied_task in copies:
        record(TaskCreated(copied_task, actor))
