"""Routes of relations between tasks, and of subtasks."""

from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.features.projects.workflow import GROUPS
from taskmanager.features.tasks import subtasks
from taskmanager.features.tasks.relations import service as relations
from taskmanager.features.tasks.relations.models import KINDS
from taskmanager.features.tasks.schemas import TASK, TaskOut
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.schemas import Id, Instant, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("relations", __name__, scope="tasks", description="Relations between tasks, and subtasks")


class RelationIn(Schema):
    """A new relation."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata={"example": "blocks"})
    task_id = Id(required=True, metadata={"description": "The other task"})


class RelatedTask(Schema):
    """The task at the other end."""

    id = Id(required=True)
    key = fields.String(required=True, metadata={"example": "APP-12"})
    title = fields.String(required=True, metadata={"example": "Write the release notes"})
    status = fields.String(required=True, metadata={"example": "open"})
    status_group = fields.String(required=True, metadata={"enum": list(GROUPS)})


class RelationOut(Schema):
    """A relation, as one of its tasks sees it."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True, metadata={"enum": list(KINDS)})
    task = fields.Nested(RelatedTask, required=True)
    created_by = Id(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)


RELATION = Serialiser(RelationOut)
_PATH = "/tasks/<objectid:task_id>/relations"


@blp.route(_PATH, methods=["POST"])
@blp.arguments(RelationIn)
@blp.response(201, RelationOut)
def create_relation(data: dict[str, Any], task_id: ObjectId) -> Response:
    """Relate a task to another

    The other task can be in any project that you see. A task that is `blocked_by` an open one cannot be completed. 409
    `relation.cycle` when `blocks` or `precedes` would close a cycle. Needs the role member in the project of the task,
    and for `blocked_by`, `follows` and `duplicated_by` in that of the other task too.
    """
    row = relations.create(task_id, data["kind"], data["task_id"], actor=current_actor())
    return answers.created(row, RELATION, f"/tasks/{task_id}/relations/{row['_id']}")


@blp.route(_PATH, replicas="lists")
@blp.arguments(list_query(RELATION, {"created_at": "created_at"}), location="query")
@blp.response(200, page_of(RelationOut))
def list_relations(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List the relations of a task

    Relations to tasks that you may not see are left out.
    """
    return answers.listing(query, RELATION, relations.visible(task_id, current_actor()))


@blp.route(f"{_PATH}/<objectid:relation_id>")
@blp.arguments(item_query(RELATION), location="query")
@blp.response(200, RelationOut)
def get_relation(query: dict[str, Any], task_id: ObjectId, relation_id: ObjectId) -> Response:
    """Get one relation of a task

    As this task sees it: `blocks` of one task is `blocked_by` of the other.
    """
    return answers.resource(relations.get(task_id, relation_id, actor=current_actor()), RELATION, query)


@blp.route(f"{_PATH}/<objectid:relation_id>", methods=["DELETE"])
@blp.response(204)
def delete_relation(task_id: ObjectId, relation_id: ObjectId) -> Response:
    """Delete a relation

    Needs the role member.
    """
    relations.delete(task_id, relation_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route("/tasks/<objectid:task_id>/subtasks", replicas="lists")
@blp.arguments(list_query(TASK, {"position": "position"}), location="query")
@blp.response(200, page_of(TaskOut))
def list_subtasks(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List the subtasks of a task

    The tasks directly below this one.
    """
    return answers.listing(query, TASK, subtasks.visible(task_id, current_actor()))
