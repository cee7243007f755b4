"""Routes of the position, the project and the watchers of tasks."""

from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.features.projects.schemas import Card
from taskmanager.features.tasks.placement import moves, service as placement
from taskmanager.features.tasks.schemas import TASK, TaskOut
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.openapi.variants import Variant, VariantSchema
from taskmanager.web.schemas import Id, Schema

blp = Blueprint("arranging", __name__, scope="tasks", description="Order, project and watchers of tasks")


class TaskPlace(VariantSchema):
    """The new position of a task: before another task, after it, or at one of the ends."""

    documented = {"example": {"kind": "end", "at": "first"}}
    variants = (
        Variant("TaskPlaceBefore", ("before",), without=("after", "at"), fixed="before"),
        Variant("TaskPlaceAfter", ("after",), without=("before", "at"), fixed="after"),
        Variant("TaskPlaceAtEnd", ("at",), without=("before", "after"), fixed="end"),
    )
    refusal = "Give one of before, after and at."

    before = Id()
    after = Id()
    at = fields.String(validate=validate.OneOf(("first", "last")))


class Move(Schema):
    """The project to which a task moves."""

    project_id = Id(required=True)


class Watcher(Schema):
    """A user who watches a task."""

    user_id = Id(required=True)
    user = fields.Nested(Card, required=True, allow_none=True)


class WatchersOut(Schema):
    """The watchers of a task."""

    items = fields.List(fields.Nested(Watcher), required=True)


@blp.route("/tasks/<objectid:task_id>/position", methods=["PUT"], conditional=False)
@blp.arguments(TaskPlace)
@blp.response(200, TaskOut)
def place_task(where: dict[str, Any], task_id: ObjectId) -> Response:
    """Put a task before or after another of its project, or at one of the ends

    `?sort=position` lists tasks in this order. Needs the role member.
    """
    return answers.resource(
        placement.place(task_id, **where, if_match=if_match(required=False), actor=current_actor()), TASK
    )


@blp.route("/tasks/<objectid:task_id>/move", methods=["POST"])
@blp.arguments(Move)
@blp.response(200, TaskOut)
def move_task(data: dict[str, Any], task_id: ObjectId) -> Response:
    """Move a task with its subtasks to another project

    The task gets a new key, and `GET /tasks/by-key/…` still finds it by the old one. A status that does not exist there
    becomes the first of its group. Labels are matched by name; custom fields are kept where the value is valid.
    Assignees and watchers that are no members there are removed. Needs the role member in both projects.
    """
    return answers.resource(moves.move(task_id, data["project_id"], actor=current_actor()), TASK)


@blp.route("/tasks/<objectid:task_id>/watchers", scope="members")
@blp.response(200, WatchersOut)
def list_watchers(task_id: ObjectId) -> Response:
    """List the watchers of a task

    Watchers are notified of changes of the task.
    """
    rows = placement.watchers(task_id, actor=current_actor())
    return answers.derived({"items": [row | {"user_id": str(row["user_id"])} for row in rows]})


@blp.route("/tasks/<objectid:task_id>/watchers/<objectid:user_id>", methods=["PUT"], conditional=False)
@blp.response(204)
def watch_task(task_id: ObjectId, user_id: ObjectId) -> Response:
    """Add a watcher of a task

    Every member may add themselves; for others it needs the role member.
    """
    placement.watch(task_id, user_id, if_match=if_match(required=False), actor=current_actor())
    return answers.nothing()


@blp.route("/tasks/<objectid:task_id>/watchers/<objectid:user_id>", methods=["DELETE"], conditional=False)
@blp.response(204)
def unwatch_task(task_id: ObjectId, user_id: ObjectId) -> Response:
    """Remove a watcher of a task

    Every member may remove themselves; for others it needs the role member.
    """
    placement.unwatch(task_id, user_id, if_match=if_match(required=False), actor=current_actor())
    return answers.nothing()
