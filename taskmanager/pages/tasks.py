"""The page of a task: what it says, its comments, and a button that completes it."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.errors import Conflict, Forbidden, PreconditionFailed, TaskManagerError
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import may
from taskmanager.core.storage.orders import Order, Row
from taskmanager.features.comments import service as comments
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.models import Label
from taskmanager.features.projects.workflow import OPEN_GROUPS, Workflow
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import PRIORITIES, Task
from taskmanager.features.tasks.permissions import TaskAction
from taskmanager.features.users import service as users
from taskmanager.pages import errors
from taskmanager.pages.blueprint import page, redirect
from taskmanager.pages.forms import seen_revision
from taskmanager.pages.live.stream import live
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.errors import status_of

_ONE = "/tasks/<objectid:task_id>"
_COMMENTS, _NEWEST = 50, Order.by("-created_at")
_FIELDS = ("key", "name", "statuses", "revision")
_TYPES = "projects,statuses,labels,tasks,comments"


@page(_ONE)
def show(task_id: ObjectId) -> Response:
    """Return the page of a task that the user may see."""
    return _page(task_id)


@page(f"{_ONE}/complete", methods=("POST",))
def complete(task_id: ObjectId) -> Response:
    """Complete a task, if it is still as the user has seen it."""
    try:
        tasks.complete(task_id, if_match={seen_revision()}, actor=current_actor())
    except (PreconditionFailed, Conflict, Forbidden) as error:
        return _page(task_id, error)
    return redirect(f"/pages/tasks/{task_id}")


def _page(task_id: ObjectId, error: TaskManagerError | None = None) -> Response:
    actor = current_actor()
    status = status_of(error) if error else 200
    problem = (errors.message(status, error.code),) if error else ()
    project_id = tasks.get(task_id, actor=actor, fields=["project_id"])["project_id"]
    with live(f"/tasks/{task_id}", project_id, _TYPES, adds="comments", task_id=task_id) as render:
        task = tasks.get(task_id, actor=actor)
        project = projects.get(task["project_id"], actor=actor, fields=list(_FIELDS))
        context = _described(task, project) | {"comments": _comments(task_id, actor), "may_complete": _may(actor, task)}
        return render("task.html", status, task=task, project=project, problem=problem, **context)


def _described(task: Row, project: Row) -> dict[str, Any]:
    """Return the names of what the task refers to."""
    people = users.public_profiles(task.get("assignee_ids", []))
    statuses = {one["key"]: one["name"] for one in Workflow(project.get("statuses", ())).statuses}
    return {
        "status_name": statuses.get(task["status"], task["status"]),
        "priority": PRIORITIES[task.get("priority", 0)],
        "assignees": [people[one]["name"] for one in task.get("assignee_ids", []) if one in people],
        "labels": list(Label.objects(id__in=task.get("label_ids", [])).order_by("name")),
    }


def _comments(task_id: ObjectId, actor: Actor) -> dict[str, Any]:
    """Return the latest comments, the oldest first, with the names of their authors; `more`: there are earlier ones."""
    found = comments.visible(task_id, actor).page(_NEWEST, _COMMENTS)
    authors = users.public_profiles({row["author_id"] for row in found.rows})
    rows = [{**row, "by": authors.get(row["author_id"], {}).get("name", "?")} for row in reversed(found.rows)]
    return {"rows": rows, "more": found.next_key is not None}


def _may(actor: Actor, task: Row) -> bool:
    """Return whether the page has a button to complete the task."""
    item = Task(id=task["_id"], project_id=task["project_id"])
    return task["status_group"] in OPEN_GROUPS and may(actor, TaskAction.COMPLETE, item)
