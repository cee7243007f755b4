"""Routes of a project's workflow."""

from typing import Any

import marshmallow as ma
from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.features.projects.workflow import GROUPS, OPEN_GROUPS
from taskmanager.features.tasks.workflow import service as workflow
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.schemas import KEY, Color, Form, Line, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("statuses", __name__, scope="projects", description="The workflow of a project")

_MAX_STATUSES = 50


class StatusIn(Schema):
    """A status of tasks. Its group determines its meaning: only `done` completes a task."""

    key = Form(KEY, "A small letter, then small letters, digits and _.", required=True, metadata={"example": "review"})
    name = Line(most=100, required=True, metadata={"example": "In review"})
    group = fields.String(required=True, validate=validate.OneOf(GROUPS), metadata={"example": "active"})
    color = Color(allow_none=True)


class Status(StatusIn):
    """A status of tasks. Its group determines its meaning: only `done` completes a task."""

    color = Color(required=True, allow_none=True)


class WorkflowIn(Schema):
    """All statuses of a project, in order."""

    documented = {
        "example": {
            "statuses": [
                {"key": "open", "name": "Open", "group": "backlog"},
                {"key": "done", "name": "Done", "group": "done"},
            ]
        }
    }

    statuses = fields.List(fields.Nested(StatusIn), required=True, validate=validate.Length(2, _MAX_STATUSES))

    @ma.validates_schema
    def whole(self, data: dict[str, Any], **_: object) -> None:
        keys = [status["key"] for status in data["statuses"]]
        groups = {status["group"] for status in data["statuses"]}
        if len(set(keys)) < len(keys):
            raise ma.ValidationError("Each key must be unique.", "statuses")
        if "done" not in groups or not groups & set(OPEN_GROUPS):
            raise ma.ValidationError("One status must be in the group done, and one in backlog or active.", "statuses")


class WorkflowOut(Schema):
    """All statuses of a project, in order."""

    statuses = fields.List(fields.Nested(Status), required=True)
    revision = fields.Integer(required=True, metadata={"description": "The revision of the project"})


WORKFLOW = Serialiser(WorkflowOut)


@blp.route("/projects/<objectid:project_id>/statuses")
@blp.response(200, WorkflowOut)
def get_statuses(project_id: ObjectId) -> Response:
    """Get the workflow of a project

    New tasks get the first status in the group backlog or active, completed tasks the first in the group done.
    """
    return answers.resource(workflow.get(project_id, actor=current_actor()), WORKFLOW)


@blp.route("/projects/<objectid:project_id>/statuses", methods=["PUT"])
@blp.arguments(WorkflowIn)
@blp.response(200, WorkflowOut)
def replace_statuses(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Replace the workflow of a project

    The ETag is that of the project. 409 `status.in_use` when a status that tasks have, also tasks in the trash, would
    be removed or change its group. Needs the role manager.
    """
    row = workflow.replace(project_id, data["statuses"], if_match=if_match(), actor=current_actor())
    return answers.resource(row, WORKFLOW)
