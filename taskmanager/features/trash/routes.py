"""Routes of the trash."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.tasks.schemas import TASK, TaskOut
from taskmanager.features.trash import service as trash
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import list_query, page_of

blp = Blueprint("trash", __name__, scope="tasks", description="Deleted tasks")

_LIST = list_query(TASK, {"deleted_at": "deleted_at"})


@blp.route("/trash", replicas="lists")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(TaskOut))
def list_trash(query: dict[str, Any]) -> Response:
    """List the deleted tasks that you may restore

    Tasks that will be purged next come first. Needs the role member in their projects.
    """
    return answers.listing(query, TASK, trash.visible(current_actor()))


@blp.route("/trash/<objectid:task_id>", methods=["DELETE"])
@blp.response(204)
def purge_task(task_id: ObjectId) -> Response:
    """Purge a task: delete it permanently

    The task must be in the trash. Its key is not used again. Needs the role manager.
    """
    trash.purge(task_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route("/tasks/<objectid:task_id>/restore", methods=["POST"])
@blp.response(200, TaskOut)
def restore_task(task_id: ObjectId) -> Response:
    """Restore a task, and the subtasks that were deleted with it, from the trash

    A task that is not in the trash stays as it is. 409 `task.parent_in_trash` when its parent is in the trash too.
    Needs the role member.
    """
    return answers.resource(trash.restore(task_id, actor=current_actor()), TASK)
