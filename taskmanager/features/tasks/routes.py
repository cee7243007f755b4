"""Routes of tasks."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.filters import FIELDS
from taskmanager.features.tasks.schemas import TASK, TaskIn, TaskOut, TaskPatch
from taskmanager.web import answers
from taskmanager.web.auth import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import expected
from taskmanager.web.pagination import Slice, item_query, list_query, page_of

blp = Blueprint("tasks", __name__, scope="tasks", description="Tasks")

# What a list can be sorted by, each with an index of its own; an order by a custom field is worked out in memory.
_ORDERS = {
    "created_at": "_id",
    "updated_at": "updated_at",
    "due_at": "due_at",
    "priority": "priority",
    "position": "position",
    "due_at,priority": "due_at,priority",
    "priority,due_at": "priority,due_at",
}
_LIST = list_query(TASK, _ORDERS, FIELDS)


@blp.route("/projects/<objectid:project_id>/tasks", methods=["POST"])
@blp.arguments(TaskIn)
@blp.response(201, TaskOut)
def create_task(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Make a task in a project

    Its assignees, but you, are notified. Needs the role member.
    """
    task = tasks.create(project_id, data, actor=current_actor())
    return answers.created(task, TASK, f"/tasks/{task.id}")


@blp.route("/projects/<objectid:project_id>/tasks")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(TaskOut))
def list_project_tasks(query: dict[str, Any], project_id: ObjectId) -> Response:
    """The tasks of a project"""
    return _list(query, project_id=project_id)


@blp.route("/tasks")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(TaskOut))
def list_tasks(query: dict[str, Any]) -> Response:
    """All tasks that you may see"""
    return _list(query)


@blp.route("/tasks/<objectid:task_id>")
@blp.arguments(item_query(TASK), location="query")
@blp.response(200, TaskOut)
def get_task(query: dict[str, Any], task_id: ObjectId) -> Response:
    """One task"""
    fields = TASK.stored(query.get("fields"))
    return answers.resource(tasks.get(task_id, actor=current_actor(), fields=fields), TASK, query)


@blp.route("/tasks/by-key/<string:key>")
@blp.arguments(item_query(TASK), location="query")
@blp.response(200, TaskOut)
def get_task_by_key(query: dict[str, Any], key: str) -> Response:
    """One task by its key, such as APP-12"""
    fields = TASK.stored(query.get("fields"))
    return answers.resource(tasks.get_by_key(key, actor=current_actor(), fields=fields), TASK, query)


@blp.route("/tasks/<objectid:task_id>", methods=["PATCH"])
@blp.arguments(TaskPatch, content_type="application/merge-patch+json")
@blp.response(200, TaskOut)
def update_task(changes: dict[str, Any], task_id: ObjectId) -> Response:
    """Change a task

    JSON Merge Patch: what is absent stays, null clears. Who is newly assigned is notified, but not you.
    """
    return answers.resource(tasks.update(task_id, changes, expected=expected(), actor=current_actor()), TASK)


@blp.route("/tasks/<objectid:task_id>", methods=["DELETE"])
@blp.response(204)
def delete_task(task_id: ObjectId) -> Response:
    """Put a task into the trash

    From there it can be restored, until it is purged.
    """
    tasks.delete(task_id, expected=expected(), actor=current_actor())
    return answers.nothing()


@blp.route("/tasks/<objectid:task_id>/completion", methods=["PUT"])
@blp.response(200, TaskOut)
def complete_task(task_id: ObjectId) -> Response:
    """Mark a task as done

    One that is done stays as it is.
    """
    return answers.resource(tasks.complete(task_id, expected=expected(), actor=current_actor()), TASK)


@blp.route("/tasks/<objectid:task_id>/completion", methods=["DELETE"])
@blp.response(200, TaskOut)
def reopen_task(task_id: ObjectId) -> Response:
    """Open a task that was done"""
    return answers.resource(tasks.reopen(task_id, expected=expected(), actor=current_actor()), TASK)


def _list(query: dict[str, Any], **where: Any) -> Response:
    part = Slice.of(query)
    where |= {"actor": current_actor(), "condition": query.get("filter")}
    page = tasks.find(**part.page_of(TASK), **where)
    return answers.collection(page, TASK, part, total=part.with_total and tasks.total(**where))
