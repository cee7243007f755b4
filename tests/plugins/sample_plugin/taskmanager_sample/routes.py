"""Routes, at `/api/v1/x/sample/…`: parsed, guarded and documented as all others."""

from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser
from taskmanager_sample import service

blp = Blueprint("sample", __name__, scope="sample", description="A sample plugin")


class Visitor(Schema):
    """Who is to be greeted."""

    name = Line(most=100, required=True, metadata={"example": "Ada"})


class Words(Schema):
    """The words of a greeting."""

    text = fields.String(required=True, validate=validate.Length(1))


class GreetingOut(Schema):
    """A greeting on a task."""

    id = Id(attribute="_id", required=True)
    task_id = Id(required=True)
    author_id = Id(required=True)
    text = fields.String(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)


GREETING = Serialiser(GreetingOut)


@blp.route("/greetings", methods=["POST"])
@blp.arguments(Visitor)
@blp.response(200, Words)
def greet(data: dict[str, str]) -> Response:
    """Be greeted"""
    return answers.data({"text": service.words(data["name"])})


@blp.route("/tasks/<objectid:task_id>/greetings", methods=["POST"])
@blp.arguments(Visitor)
@blp.response(201, GreetingOut)
def greet_on_task(data: dict[str, str], task_id: ObjectId) -> Response:
    """Greet on a task

    Those who watch it are notified. Needs the role commenter.
    """
    greeting = service.greet(task_id, data["name"], actor=current_actor())
    return answers.created(greeting, GREETING, f"/x/sample/tasks/{task_id}/greetings/{greeting.id}")
