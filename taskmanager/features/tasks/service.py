"""Use cases of tasks. Each has the same steps in the same order: load what the actor may see, authorize,
check the state, change, record."""

from contextlib import suppress
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects, values
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.workflow import OPEN_GROUPS, Workflow
from taskmanager.features.tasks import creation, subtasks
from taskmanager.features.tasks.events import (
    TaskCompleted,
    TaskDeleted,
    TaskFact,
    TaskReopened,
    TaskUpdated,
)
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.tasks.recurrence import series, service as recurrence
from taskmanager.features.tasks.relations import service as relations
from taskmanager.features.tasks.reminders import service as reminders


@unit_of_work
def create(project_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Task:
    """Create a task in a project. Checks the references before it locks the counters of the project for others.

    Raises NotFound, Forbidden, Invalid for an unknown reference or value, Conflict (`quota.tasks`).
    """
    if actor.role_in(project_id) is None:
        raise NotFound
    draft = Task(id=ObjectId(), project_id=project_id)
    authorize(actor, TaskAction.CREATE, draft)
    projects.order_writers(project_id)
    _check_references(project_id, data)
    subtasks.check_parent(draft, data.get("parent_id"))
    project, (place,) = projects.allocate_keys(project_id)
    data = data | {"reporter_id": actor.user_id, "custom_fields": _merged({}, data.get("custom_fields"))}
    data = recurrence.normalize(None, data, actor, timezone=project.timezone)
    data |= _in_group(data.get("status", project.workflow.first), project.workflow)
    return creation.insert(creation.new_task(project, place, data, task_id=draft.id), actor)


def get(task_id: ObjectId, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one task. Raises NotFound."""
    return Task.objects.visible_to(actor).row(task_id, fields)


def get_by_key(key: str, *, actor: Actor, fields: list[str] | None = None) -> Row:
    """Return one task by its key, such as `APP-12`, in any case, or by a former key. Raises NotFound."""
    key, visible = key.upper(), Task.objects.visible_to(actor)
    project_id = projects.id_of_key(key.partition("-")[0])
    for tasks in (visible.filter(project_id=project_id), visible):
        with suppress(NotFound):  # in another project: a task has its key until the key is changed, see `rekeying`
            return tasks.row(key, fields, by="key")
    return visible.row(key, fields, by="former_keys")


@unit_of_work
def update(task_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Task:
    """Change a task; records no event when nothing changes.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid when an assignee is no member.
    """
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.EDIT, task)
    task.check_revision(if_match)
    _check_references(task.project_id, _new_references(task, changes))
    if "custom_fields" in changes:
        changes = changes | {"custom_fields": _merged(task.custom_fields, changes["custom_fields"])}
    if "status" in changes:
        changes = changes | _in_group(changes["status"], projects.workflow_of(task.project_id))
        if changes["status_group"] == "done" != task.status_group:
            relations.check_blockers(task, actor)
    timezone = projects.timezone_of(task.project_id) if changes.keys() & recurrence.TIME_FIELDS else None
    changes = recurrence.normalize(task, changes, actor, timezone=timezone)
    if changes.get("parent_id", task.parent_id) != task.parent_id:
        subtasks.check_parent(task, changes["parent_id"])
    return _change(task, changes, TaskUpdated, actor, timezone)


@unit_of_work
def complete(task_id: ObjectId, *, if_match: IfMatch, actor: Actor, force: bool = False) -> Task:
    """Mark a task as done; a task that is done stays as it is. `force` completes it although others block it.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`task.blocked`).
    """
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.FORCE if force else TaskAction.COMPLETE, task)
    task.check_revision(if_match)
    if task.status_group == "done":
        return task
    if not force:
        relations.check_blockers(task, actor)
    status = projects.workflow_of(task.project_id).done
    return _change(task, {"status": status, "status_group": "done"}, TaskCompleted, actor)


@unit_of_work
def reopen(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Task:
    """Reopen a task that is done; any other stays as it is. Raises NotFound, Forbidden, PreconditionFailed."""
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.COMPLETE, task)
    task.check_revision(if_match)
    if task.status_group != "done":
        return task
    workflow = projects.workflow_of(task.project_id)
    return _change(task, _in_group(workflow.first, workflow), TaskReopened, actor)


@unit_of_work
def delete(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Put a task and its subtasks into the trash.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`task.too_many_subtasks`).
    """
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, TaskAction.DELETE, task)
    task.check_revision(if_match)
    moment, parts = now(), subtasks.below(task)
    for part in Task.write_each(parts, [{"deleted_at": moment, "trashed_with": task.id}] * len(parts)):
        record(TaskDeleted(part, actor))
    trashed = task.write(deleted_at=moment)
    subtasks.update_parent_progress(task, trashed, actor)
    record(TaskDeleted(trashed, actor))


def _change(
    task: Task, changes: dict[str, Any], fact: type[TaskFact], actor: Actor, timezone: str | None = None
) -> Task:
    changes = task.consequences(changes, timezone)
    if changes.get("status_group") == "done" != task.status_group:
        changes |= recurrence.create_next(task, actor)
    elif changes.get("status_group", task.status_group) in OPEN_GROUPS and not task.is_open:
        changes |= series.withdraw(task, actor)
    differences = task.differences(changes)
    if not differences:
        return task
    before, task = task, task.write(**{field: after for field, (_, after) in differences.items()})
    subtasks.update_parent_progress(before, task, actor)
    reminders.reschedule([(task, differences)])
    record(fact(task, actor, differences))
    return task


def _in_group(status: str, workflow: Workflow) -> dict[str, str]:
    group = workflow.group_of(status)
    if group is None:
        raise Invalid("body.status", "The project has no such status.", code="task.status_unknown")
    return {"status": status, "status_group": group}


def _merged(values: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """Return `values` with a JSON Merge Patch (RFC 7396) applied: absent keys stay, None removes."""
    if changes is None:
        return {}
    return {key: value for key, value in (values | changes).items() if value is not None}


def _new_references(task: Task, changes: dict[str, Any]) -> dict[str, Any]:
    """Return the references in `changes` that are new in the task; only these are checked.

    So a former member or a deleted label that the task still has does not block other edits.
    """
    found: dict[str, Any] = {}
    for field in {"assignee_ids", "label_ids"} & changes.keys():
        known = set(getattr(task, field))
        found[field] = [one for one in changes[field] if one not in known]
    fields = changes.get("custom_fields") or {}
    changed = {key: value for key, value in fields.items() if not _same(task.custom_fields.get(key), value)}
    return found | {"custom_fields": changed}


def _same(before: Any, after: Any) -> bool:
    """Return whether two values are the same, in type too: False and 0 are not."""
    return type(before) is type(after) and bool(before == after)


def _check_references(project_id: ObjectId, data: dict[str, Any]) -> None:
    """Raise Invalid when `data` refers to a user, label or custom field that the project does not have."""
    _check_assignees(project_id, data.get("assignee_ids", []))
    values.check_labels(project_id, data.get("label_ids", []))
    values.check_values(project_id, data.get("custom_fields") or {})


def _check_assignees(project_id: ObjectId, assignee_ids: list[ObjectId]) -> None:
    if assignee_ids and not members.are_members(project_id, assignee_ids):
        raise Invalid("body.assignee_ids", "Only members of the project can be assigned.", code="task.not_a_member")
