"""A plugin with one of each: a route, a listener, a setting, a channel, a job. Copy it to begin your own.

It counts the tasks that were made since the process started, greets with a word of its settings, and tells people
on a blackboard.
"""

from collections.abc import Iterable

from bson import ObjectId
from flask import Flask, Response
from marshmallow import fields, validate
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from taskmanager.core.configuration.settings import build
from taskmanager.core.events.log import Event, listen
from taskmanager.core.events.schedule import every
from taskmanager.features.notifications.channels import base as channels
from taskmanager.features.notifications.channels.base import Message, Rejected
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
wiped: list[int] = []


class Blackboard:
    """A channel: it writes what people are told on a board, in chalk."""

    name = "blackboard"  # in preferences and delivery records
    queue = "low"  # on which it is tried again
    seconds = 1.0  # the longest that `send` takes
    lanes = 2  # how many messages a worker sends at a time beside its jobs, in threads; 0: within the job
    bundled = False  # whether quiet hours, digests and the wait for more of the same task hold for it

    def __init__(self) -> None:
        self.lines: dict[ObjectId, str] = {}  # by the id of the delivery, which is the same at each attempt
        self.trouble: Exception | None = None

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Whom it can tell: whose address it knows."""
        return set(user_ids)

    def send(self, message: Message) -> None:
        """Raise Rejected for what will never work; anything else that is raised is tried again later."""
        if self.trouble:
            raise self.trouble
        if any(len(notice.subject) > 200 for notice in message.notices):
            raise Rejected("The board is too small.")
        self.lines[message.delivery.id] = "; ".join(notice.subject for notice in message.notices)


board = Blackboard()


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
    channels.register(board)


@listen("task.created", name="sample.count", queue="low")
def count(event: Event) -> None:
    """Remember the task."""
    made.append(str(event.subject_id))


@every(3600, name="sample.wipe")
def wipe() -> None:
    """Wipe the board, once an hour."""
    wiped.append(len(board.lines))
    board.lines.clear()
