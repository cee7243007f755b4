"""The board of a project: a column for each status, and buttons that move a task to the columns beside its own."""

from typing import Any

from bson import ObjectId
from flask import Response, request

from taskmanager.core.errors import Conflict, Forbidden, Invalid, NotFound, PreconditionFailed, TaskManagerError
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import written
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import may
from taskmanager.core.storage.orders import Order
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks import listing, service as tasks
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.users import service as users
from taskmanager.pages import errors
from taskmanager.pages.blueprint import page, redirect
from taskmanager.pages.forms import seen_revision
from taskmanager.pages.live.stream import live
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.errors import status_of

MAX_CARDS = 400  # of a board
MIN_SHOWN, MAX_SHOWN = 10, 50  # cards of a column: fewer where there are many columns
_TYPES = "projects,statuses,members,tasks"
_ORDER = Order.by("position")
_CARD = ("key", "title", "due", "assignee_ids", "revision")
_BOARD = "/projects/<objectid:project_id>/board"


@page(_BOARD)
def show(project_id: ObjectId) -> Response:
    """Return the board of a project that the user may see."""
    return _page(project_id)


@page(f"{_BOARD}/<objectid:task_id>", methods=("POST",))
def move(project_id: ObjectId, task_id: ObjectId) -> Response:
    """Move a task to another column, if it is still as the user has seen it."""
    actor = current_actor()
    if tasks.get(task_id, actor=actor, fields=["project_id"])["project_id"] != project_id:
        raise NotFound
    changes = {"status": request.form.get("status", "")}
    try:
        tasks.update(task_id, changes, if_match={seen_revision()}, actor=actor)
    except (PreconditionFailed, Conflict, Forbidden, Invalid) as error:
        return _page(project_id, error)
    return redirect(f"/pages/projects/{project_id}/board#task-{task_id}")


def _page(project_id: ObjectId, error: TaskManagerError | None = None) -> Response:
    actor = current_actor()
    status = status_of(error) if error else 200
    with live(f"/projects/{project_id}/board", project_id, _TYPES, adds="tasks") as render:
        project = projects.get(project_id, actor=actor, fields=["name", "statuses", "revision"])
        return render(
            "board.html",
            status,
            project=project,
            columns=_columns(project_id, Workflow(project.get("statuses", ())), actor),
            may_move=may(actor, TaskAction.EDIT, Task(project_id=project_id)),
            problem=(errors.message(status, _code(error)),) if error else (),
        )


def _code(error: TaskManagerError) -> str:
    listed = error.extra.get("errors") or ({"code": error.code},)
    return str(listed[0]["code"])


def _columns(project_id: ObjectId, workflow: Workflow, actor: Actor) -> list[dict[str, Any]]:
    """Return the columns with their first tasks, and the statuses of the columns beside each."""
    statuses = workflow.statuses
    columns: list[dict[str, Any]] = []
    most = max(MIN_SHOWN, min(MAX_SHOWN, MAX_CARDS // len(statuses)))
    for number, status in enumerate(statuses):
        condition = GivenFilter(parse(f"status = {written(status['key'])}", FIELDS))
        visible = listing.visible(actor, project_id=project_id, condition=condition)
        found = visible.page(_ORDER, most, fields=_CARD)
        beside = {"before": statuses[number - 1 : number], "after": statuses[number + 1 : number + 2]}
        columns.append({**status, **beside, "tasks": found.rows, "more": found.next_key is not None})
    people = users.public_profiles({one for column in columns for one in _assignees(column)})
    return [{**column, "people": people} for column in columns]


def _assignees(column: dict[str, Any]) -> list[ObjectId]:
    return [one for task in column["tasks"] for one in task.get("assignee_ids", ())]
