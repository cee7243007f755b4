"""What clients send and get of tasks."""

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.features.tasks.due import due_at
from taskmanager.features.tasks.models import PRIORITIES, STATUSES
from taskmanager.web.schemas import Choice, Id, Instant, Line, Schema, Text, UniqueIds
from taskmanager.web.serialisers import Serialiser

_TITLE = {"example": "Write the release notes"}


def _is_due(value: str) -> None:
    try:
        due_at(value)
    except ValueError as error:
        raise ma.ValidationError(str(error)) from None


class TaskChanges(Schema):
    """What can be said of a task, now or later."""

    description = Text(most=50_000, allow_none=True, metadata={"description": "Markdown"})
    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"example": "in_progress"})
    priority = Choice(PRIORITIES, metadata={"enum": list(PRIORITIES), "example": "high"})
    assignee_ids = UniqueIds(most=50, metadata={"description": "Members of the project; each new one is notified"})
    start_at = Instant(allow_none=True)
    due = fields.String(
        allow_none=True,
        validate=[validate.Length(max=40), _is_due],
        metadata={
            "description": "A whole day, a floating local time, or an instant with a zone",
            "example": "2026-12-01",
            "pattern": r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?$",
        },
    )
    estimate_minutes = fields.Integer(allow_none=True, strict=True, validate=validate.Range(0, 1_000_000))


class TaskIn(TaskChanges):
    """A new task."""

    title = Line(most=500, required=True, metadata=_TITLE)


class TaskPatch(TaskChanges):
    """Changes of a task."""

    title = Line(most=500, metadata=_TITLE)


class TaskOut(Schema):
    """A task."""

    id = Id(attribute="_id", required=True)
    key = fields.String(required=True, metadata={"example": "APP-12"})
    project_id = Id(required=True)
    title = Line(most=500, required=True)
    description = Text(most=50_000, required=True, allow_none=True)
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    priority = Choice(PRIORITIES, required=True, metadata={"enum": list(PRIORITIES)})
    assignee_ids = UniqueIds(most=50, required=True)
    reporter_id = Id(required=True)
    start_at = Instant(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True)
    due_at = Instant(required=True, allow_none=True, metadata={"description": "The moment that `due` sorts by"})
    estimate_minutes = fields.Integer(required=True, allow_none=True)
    completed_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


TASK = Serialiser(TaskOut)
