"""Routes, at `/api/v1/x/example/…`."""

from bson import ObjectId
from flask import Response
from marshmallow import fields

from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Schema
from taskmanager_example import service

blp = Blueprint("example", __name__, scope="example", description="How often tasks are completed")


class CompletionsOut(Schema):
    """How often tasks of a project were completed."""

    completions = fields.Integer(required=True, metadata={"example": 3})


@blp.route("/projects/<objectid:project_id>/completions")
@blp.response(200, CompletionsOut)
def get_completions(project_id: ObjectId) -> Response:
    """How often tasks of a project were completed"""
    return answers.data({"completions": service.total(project_id, actor=current_actor())})
