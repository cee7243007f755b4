"""A plugin with one of each: a route, a listener, a setting. Copy it to begin your own.

It counts the tasks that were made since the process started, and greets with a word of its settings.
"""

from flask import Flask, Response
from marshmallow import fields, validate
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from taskmanager.core.events import Event, listen
from taskmanager.core.settings import build
from taskmanager.plugins import register_blueprint
from taskmanager.web import answers
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Line, Schema


class SampleSettings(BaseSettings):
    """`TASKMANAGER_X_SAMPLE_GREETING`."""

    model_config = SettingsConfigDict(env_prefix="TASKMANAGER_X_SAMPLE_", hide_input_in_errors=True)

    greeting: str = Field("Hello", max_length=20)


class Visitor(Schema):
    """Who is to be greeted."""

    name = Line(most=100, required=True, metadata={"example": "Ada"})


class Greeting(Schema):
    """A greeting."""

    text = fields.String(required=True, validate=validate.Length(1))


made: list[str] = []


def init_app(app: Flask) -> None:
    """Called once for each application."""
    settings = build(SampleSettings)
    blueprint = Blueprint("sample", __name__, description="A sample plugin")

    @blueprint.route("/greetings", methods=["POST"])
    @blueprint.arguments(Visitor)
    @blueprint.response(200, Greeting)
    def greet(data: dict[str, str]) -> Response:
        """Be greeted"""
        return answers.data({"text": f"{settings.greeting}, {data['name']}!"})

    register_blueprint(app, blueprint)


@listen("task.created", name="sample.count", queue="low")
def count(event: Event) -> None:
    """Remember the task."""
    made.append(str(event.subject_id))
