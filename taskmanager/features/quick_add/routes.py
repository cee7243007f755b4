"""Route of quick add."""

from typing import Any

from flask import Response
from marshmallow import fields

from taskmanager.features.quick_add import service as quick_adding
from taskmanager.features.quick_add.grammar import MAX_CHARACTERS
from taskmanager.features.tasks.schemas import TASK, TaskOut
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Id, Line, Schema

blp = Blueprint("quick add", __name__, scope="tasks", description="Tasks from a line of text")


class QuickIn(Schema):
    """One line of text."""

    text = Line(most=MAX_CHARACTERS, required=True, metadata={"example": "Pay rent every month on the 1st @home !high"})
    project_id = Id(metadata={"description": "The project, if the text names none"})


class QuickProject(Schema):
    """The project of the task."""

    id = Id(required=True)
    key = fields.String(required=True, metadata={"example": "HOME"})
    name = fields.String(required=True, metadata={"example": "Home"})


class UnderstoodOut(Schema):
    """The parsed values of the text."""

    title = fields.String(required=True, metadata={"example": "Pay rent"})
    project = fields.Nested(QuickProject, required=True)
    labels = fields.List(fields.String(), required=True, metadata={"example": ["home"]})
    assignees = fields.List(fields.String(), required=True, metadata={"example": []})
    priority = fields.String(required=True, allow_none=True, metadata={"example": "high"})
    due = fields.String(required=True, allow_none=True, metadata={"example": "2026-12-01"})
    recurrence = fields.String(required=True, allow_none=True, metadata={"example": "FREQ=MONTHLY;BYMONTHDAY=1"})
    recurs_from = fields.String(required=True, allow_none=True, metadata={"example": None})
    estimate_minutes = fields.Integer(required=True, allow_none=True, metadata={"example": None})


class QuickOut(Schema):
    """The new task, and the parsed values."""

    task = fields.Nested(TaskOut, required=True)
    understood = fields.Nested(UnderstoodOut, required=True)


@blp.route("/tasks/quick", methods=["POST"])
@blp.arguments(QuickIn)
@blp.response(201, QuickOut)
def quick_add_task(data: dict[str, Any]) -> Response:
    """Create a task from a line of text

    `#project`, `@label`, `+person`, `!high`, days, times, `every …` and `for 30m` are parsed and removed; the rest is
    the title. Labels that do not exist are created. Needs the role member.
    """
    task, understood = quick_adding.add(data["text"], project_id=data.get("project_id"), actor=current_actor())
    body = {"task": TASK.dump(task.as_row()), "understood": understood}
    return answers.created_with(body, task.revision, f"/tasks/{task.id}")
