"""Routes of the activity of a task."""

from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields

from taskmanager.features.tasks.activity import service as activity
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.pagination import list_query, page_of
from taskmanager.web.schemas import Id, Instant, Json, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("activity", __name__, scope="tasks", description="The activity of tasks")


class ActivityOut(Schema):
    """An event of a task."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True, metadata={"example": "task.updated"})
    at = Instant(required=True)
    actor_id = Id(
        required=True,
        allow_none=True,
        metadata={"description": "The user who made the change; null for the service itself"},
    )
    changes = Json(
        {
            "additionalProperties": {"$ref": "#/components/schemas/FieldChange"},
            "example": {"priority": {"before": "none", "after": "high"}},
        },
        required=True,
        metadata={"description": "Each changed field"},
    )


ACTIVITY = Serialiser(ActivityOut)
_LIST = list_query(ACTIVITY, {"at": "at seq"})


@blp.route("/tasks/<objectid:task_id>/activity", replicas="lists")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(ActivityOut))
def list_activity(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List the activity of a task: who changed which field, with the value before and after

    Which user changed which field, with the value before and after; `sort=-at` begins with the newest.
    """
    return answers.listing(query, ACTIVITY, activity.visible(task_id, current_actor()))
