"""Use cases of tasks. Each has the same steps in the same order: load what the actor may see, authorize,
check the state, change, record."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid, NotFound
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects, values
from taskmanager.features.projects.service import TaskRules
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


class NewTask(NamedTuple):
    """A task to be created, with its id."""

    project_id: ObjectId
    data: dict[str, Any]
    task_id: ObjectId


class Edit(NamedTuple):
    """A change of one task."""

    task_id: ObjectId
    changes: dict[str, Any] = {}
    if_match: IfMatch = None


def create(project_id: ObjectId, data: dict[str, Any], *, actor: Actor) -> Task:
    """Create a task in a project. Raises as `create_all`."""
    return create_all([NewTask(project_id, data, ObjectId())], actor=actor)[0]


@unit_of_work
def create_all(new: Sequence[NewTask], *, actor: Actor) -> list[Task]:
    """Create tasks. Checks the references before it locks the counters of the projects for others.

    A parent may be an earlier one of the tasks. The number of commands does not grow with the tasks.
    Raises NotFound, Forbidden, Invalid for an unknown reference or value, Conflict (`quota.tasks`).
    """
    for one in new:
        _check_allowed(one, actor)
    by_project: dict[ObjectId, list[NewTask]] = {}
    for one in new:
        by_project.setdefault(one.project_id, []).append(one)
    projects.order_writers(*by_project)
    for project_id, items in by_project.items():
        values.check_references(project_id, [item.data for item in items], actor=actor)
    if any(one.data.get("parent_id") for one in new):
        drafts = [Task(id=one.task_id, project_id=one.project_id, parent_id=one.data.get("parent_id")) for one in new]
        subtasks.check_parents([(draft, draft.parent_id) for draft in drafts if draft.parent_id], new=drafts)
    made = {
        task.id: task for project_id in sorted(by_project) for task in _made(project_id, by_project[project_id], actor)
    }
    tasks = [made[one.task_id] for one in new]
    creation.insert(tasks, actor)
    return tasks


def _check_allowed(new: NewTask, actor: Actor) -> None:
    if actor.role_in(new.project_id) is None:
        raise NotFound
    authorize(actor, TaskAction.CREATE, new)


def _made(project_id: ObjectId, items: Sequence[NewTask], actor: Actor) -> list[Task]:
    """Return the new tasks of one project, not stored."""
    project, places = projects.allocate_keys(project_id, len(items))
    workflow, made = project.workflow, []
    for item, place in zip(items, places, strict=True):
        data = item.data | {
            "reporter_id": actor.user_id,
            "custom_fields": values.merged({}, item.data.get("custom_fields")),
        }
        data = recurrence.normalize(None, data, actor, timezone=project.timezone)
        data |= _in_group(data.get("status", workflow.first), workflow)
        made.append(creation.new_task(project, place, data, task_id=item.task_id))
    return made


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


def update(task_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Task:
    """Change a task. Raises as `update_all`."""
    return update_all([Edit(task_id, changes, if_match)], actor=actor)[0]


@unit_of_work
def update_all(edits: Sequence[Edit], *, actor: Actor) -> list[Task]:
    """Change different tasks; records no event where nothing changes. The number of commands does not grow with them.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid when an assignee is no member; DependentTasks for several
    tasks whose result depends on their order.
    """
    tasks = _load(edits, TaskAction.EDIT, actor)
    _check_new_references(tasks, edits, actor)
    items = [(task, _with_merged_fields(task, edit.changes)) for task, edit in zip(tasks, edits, strict=True)]
    needed = {"status", *recurrence.TIME_FIELDS}
    rules = projects.rules_of({task.project_id for task, changes in items if needed & changes.keys()})
    items = [(task, _with_group(changes, rules.get(task.project_id))) for task, changes in items]
    regrouped = [
        (task, changes)
        for task, changes in items
        if changes.get("status_group", task.status_group) != task.status_group
    ]
    done = [task for task, changes in regrouped if changes["status_group"] == "done"]
    relations.check_blockers(done, actor, {task.id for task, _ in regrouped})
    zones = {project_id: found.timezone for project_id, found in rules.items()}
    items = [
        (task, recurrence.normalize(task, changes, actor, timezone=zones.get(task.project_id)))
        for task, changes in items
    ]
    subtasks.check_parents(_moved(items))
    return _change(tasks, items, TaskUpdated, actor, zones)


def complete(task_id: ObjectId, *, if_match: IfMatch, actor: Actor, force: bool = False) -> Task:
    """Mark a task as done. Raises as `complete_all`."""
    return complete_all([Edit(task_id, if_match=if_match)], actor=actor, force=force)[0]


@unit_of_work
def complete_all(edits: Sequence[Edit], *, actor: Actor, force: bool = False) -> list[Task]:
    """Mark different tasks as done; one that is done stays as it is. `force` completes it although others block it.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`task.blocked`); DependentTasks as `update_all`.
    """
    tasks = _load(edits, TaskAction.FORCE if force else TaskAction.COMPLETE, actor)
    open_tasks = [task for task in tasks if task.status_group != "done"]
    if not force:
        relations.check_blockers(open_tasks, actor, {task.id for task in open_tasks})
    rules = projects.rules_of({task.project_id for task in open_tasks})
    items = [(task, {"status": rules[task.project_id].workflow.done, "status_group": "done"}) for task in open_tasks]
    return _change(tasks, items, TaskCompleted, actor)


def reopen(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Task:
    """Reopen a task that is done. Raises as `reopen_all`."""
    return reopen_all([Edit(task_id, if_match=if_match)], actor=actor)[0]


@unit_of_work
def reopen_all(edits: Sequence[Edit], *, actor: Actor) -> list[Task]:
    """Reopen different tasks that are done; any other stays as it is.

    Raises NotFound, Forbidden, PreconditionFailed; DependentTasks as `update_all`.
    """
    tasks = _load(edits, TaskAction.COMPLETE, actor)
    done = [task for task in tasks if task.status_group == "done"]
    rules = projects.rules_of({task.project_id for task in done})
    workflows = {project_id: found.workflow for project_id, found in rules.items()}
    items = [(task, _in_group(workflows[task.project_id].first, workflows[task.project_id])) for task in done]
    return _change(tasks, items, TaskReopened, actor)


def delete(task_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Put a task and its subtasks into the trash. Raises as `delete_all`."""
    delete_all([Edit(task_id, if_match=if_match)], actor=actor)


@unit_of_work
def delete_all(edits: Sequence[Edit], *, actor: Actor) -> None:
    """Put different tasks and their subtasks into the trash.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`task.too_many_subtasks`); DependentTasks when one is
    below another.
    """
    tasks = _load(edits, TaskAction.DELETE, actor)
    moment = now()
    parts = [(part, task.id) for task, below in zip(tasks, subtasks.below_each(tasks), strict=True) for part in below]
    marks = [{"deleted_at": moment, "trashed_with": top_id} for _, top_id in parts]
    for part in Task.write_each([part for part, _ in parts], marks):
        record(TaskDeleted(part, actor))
    trashed = Task.write_each(tasks, [{"deleted_at": moment} for _ in tasks])
    subtasks.update_parent_progress(zip(tasks, trashed, strict=True), actor)
    for task in trashed:
        record(TaskDeleted(task, actor))


def _load(edits: Sequence[Edit], action: TaskAction, actor: Actor) -> list[Task]:
    """Return the tasks of the edits, to be written now. Raises NotFound, Forbidden, PreconditionFailed."""
    visible = Task.objects.visible_to(actor)
    found = {task.id: task for task in visible.documents([edit.task_id for edit in edits])}
    tasks = []
    for edit in edits:
        if edit.task_id not in found:
            raise NotFound
        task = found[edit.task_id]
        authorize(actor, action, task)
        task.check_revision(edit.if_match)
        tasks.append(task)
    projects.order_writers(*(task.project_id for task in tasks))
    return tasks


def _change(
    tasks: Sequence[Task],
    items: Sequence[tuple[Task, dict[str, Any]]],
    fact: type[TaskFact],
    actor: Actor,
    zones: Mapping[ObjectId, str] = MappingProxyType({}),
) -> list[Task]:
    """Store the changes of some of the tasks with all that follows from them, and return the tasks as they are then.

    `zones` are the time zones of their projects. Raises DependentTasks when what follows from one changes another.
    """
    together = {task.id for task in tasks}
    parents = {parent_id for _, parent_id in _moved(items)} if len(tasks) > 1 else set()
    items = [(task, task.consequences(changes, zones.get(task.project_id))) for task, changes in items]
    series.check_independent([task for task, changes in items if "status_group" in changes])
    done = [task for task, changes in items if changes.get("status_group") == "done" != task.status_group]
    opened = [
        task
        for task, changes in items
        if changes.get("status_group", task.status_group) in OPEN_GROUPS and not task.is_open
    ]
    more = recurrence.create_next(done, actor, together) | series.withdraw(opened, actor, together | parents)
    differing = [(task, task.differences(changes | more.get(task.id, {}))) for task, changes in items]
    changed = [(task, differences) for task, differences in differing if differences]
    before = [task for task, _ in changed]
    stored = Task.write_each(before, [{field: after for field, (_, after) in one.items()} for _, one in changed])
    subtasks.update_parent_progress(zip(before, stored, strict=True), actor, together)
    reminders.reschedule([(task, differences) for task, (_, differences) in zip(stored, changed, strict=True)])
    for task, (_, differences) in zip(stored, changed, strict=True):
        record(fact(task, actor, differences))
    return _in_order(tasks, stored)


def _in_order(tasks: Sequence[Task], changed: Sequence[Task]) -> list[Task]:
    """Return the tasks, those that were changed as they are now."""
    now_stored = {task.id: task for task in changed}
    return [now_stored.get(task.id, task) for task in tasks]


def _moved(items: Sequence[tuple[Task, dict[str, Any]]]) -> list[tuple[Task, ObjectId]]:
    """Return the tasks that get another parent, with that."""
    parents = [(task, changes.get("parent_id", task.parent_id)) for task, changes in items]
    return [(task, parent_id) for task, parent_id in parents if parent_id and parent_id != task.parent_id]


def _with_group(changes: dict[str, Any], rules: TaskRules | None) -> dict[str, Any]:
    return changes | _in_group(changes["status"], rules.workflow) if rules and "status" in changes else changes


def _in_group(status: str, workflow: Workflow) -> dict[str, str]:
    group = workflow.group_of(status)
    if group is None:
        raise Invalid("body.status", "The project has no such status.", code="task.status_unknown")
    return {"status": status, "status_group": group}


def _with_merged_fields(task: Task, changes: dict[str, Any]) -> dict[str, Any]:
    if "custom_fields" not in changes:
        return changes
    return changes | {"custom_fields": values.merged(task.custom_fields, changes["custom_fields"])}


def _check_new_references(tasks: Sequence[Task], edits: Sequence[Edit], actor: Actor) -> None:
    by_project: dict[ObjectId, list[dict[str, Any]]] = {}
    for task, edit in zip(tasks, edits, strict=True):
        by_project.setdefault(task.project_id, []).append(task.new_references(edit.changes))
    for project_id, references in by_project.items():
        values.check_references(project_id, references, actor=actor)
