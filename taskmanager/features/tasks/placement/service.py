"""Use cases of the position of tasks in the order by hand, and of their watchers."""

from bson import ObjectId

from taskmanager.core import fractional
from taskmanager.core.errors import Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage import positions
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.members import service as members
from taskmanager.features.tasks.events import TaskPlaced, TaskUpdated
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.tasks.querysets import TaskQuerySet

MAX_WATCHERS = 500


@unit_of_work
def place(
    task_id: ObjectId,
    *,
    if_match: IfMatch,
    actor: Actor,
    before: ObjectId | None = None,
    after: ObjectId | None = None,
    at: str | None = None,
) -> Task:
    """Put a task before or after another task of its project, or `at` the `first` or `last` position.

    Units of work of one project write the same event stream: of two that read the same neighbours, one is run again.
    Raises NotFound, Forbidden, PreconditionFailed, Invalid (`task.neighbour_unknown`).
    """
    task = _to_write(task_id, TaskAction.EDIT, if_match, actor)
    others = Task.objects.in_project(task.project_id).filter(id__ne=task.id)
    if at == "last":
        position = fractional.at(projects.next_position(task.project_id))
    elif at == "first":
        first = others.order_by("position").first()
        position = fractional.between(None, first and first.position)
    else:
        position = _beside(others, before, after)
    changes = task.differences({"position": position})
    if changes:
        task = task.write(position=position)
        record(TaskPlaced(task, actor, changes))
    return task


def _beside(others: TaskQuerySet, before: ObjectId | None, after: ObjectId | None) -> str:
    """Return a position between a neighbour and the task on its other side."""
    field, neighbour_id = ("before", before) if before else ("after", after)
    neighbour = others.filter(id=neighbour_id).first()
    if neighbour is None:
        raise Invalid(f"body.{field}", "The project has no such task.", code="task.neighbour_unknown")
    lower, upper = positions.around(others, neighbour.position, before=before is not None)
    if upper is None:  # the last position: each number is given once, so that no new task gets the same
        return fractional.at(projects.next_position(neighbour.project_id))
    return fractional.between(lower, upper)


def watchers(task_id: ObjectId, *, actor: Actor) -> list[Row]:
    """Return the watchers of a task with their public profiles: [{user_id, user}]. Raises NotFound."""
    row = Task.objects.visible_to(actor).row(task_id, ["watcher_ids"])
    return members.with_profiles([{"user_id": user_id} for user_id in row.get("watcher_ids", [])])


@unit_of_work
def watch(task_id: ObjectId, user_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Add a member of the project as watcher; every user may add themselves, the role member is needed for others.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid (`task.not_a_member`, `task.too_many_watchers`).
    """
    task = _to_watch(task_id, user_id, if_match, actor)
    if user_id in task.watcher_ids:
        return
    if not members.are_members(task.project_id, [user_id]):
        raise Invalid("path.user_id", "Only members of the project can watch it.", code="task.not_a_member")
    if len(task.watcher_ids) >= MAX_WATCHERS:
        raise Invalid("path.user_id", f"A task has at most {MAX_WATCHERS} watchers.", code="task.too_many_watchers")
    _set_watchers(task, [*task.watcher_ids, user_id], actor)


@unit_of_work
def unwatch(task_id: ObjectId, user_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Remove a watcher of a task. Raises NotFound, Forbidden, PreconditionFailed."""
    task = _to_watch(task_id, user_id, if_match, actor)
    if user_id in task.watcher_ids:
        _set_watchers(task, [other for other in task.watcher_ids if other != user_id], actor)


def _to_watch(task_id: ObjectId, user_id: ObjectId, if_match: IfMatch, actor: Actor) -> Task:
    action = TaskAction.WATCH if user_id == actor.user_id else TaskAction.SET_WATCHERS
    return _to_write(task_id, action, if_match, actor)


def _to_write(task_id: ObjectId, action: TaskAction, if_match: IfMatch, actor: Actor) -> Task:
    """Return a task that will be written. Raises NotFound, Forbidden, PreconditionFailed."""
    task = Task.objects.visible_to(actor).one(task_id)
    authorize(actor, action, task)
    task.check_revision(if_match)
    projects.order_writers(task.project_id)
    return task


def _set_watchers(task: Task, watcher_ids: list[ObjectId], actor: Actor) -> None:
    changes = {"watcher_ids": [task.watcher_ids, watcher_ids]}
    record(TaskUpdated(task.write(watcher_ids=watcher_ids), actor, changes))
