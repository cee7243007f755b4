"""What clients send and get of tasks."""

from marshmallow import fields, validate

from taskmanager.features.tasks.due import FORM
from taskmanager.features.tasks.models import PRIORITIES, STATUSES
from taskmanager.web.schemas import Choice, Form, Id, Instant, Line, Schema, Text, UniqueIds, Whole
from taskmanager.web.serialisers import Serialiser

_TITLE = {"example": "Write the release notes"}
_DESCRIPTION = {"description": "Markdown", "example": "Name every change that *users* see."}
_DUE = {
    "description": "A whole day, a floating local time, or an instant with a zone",
    "example": "2026-12-01",
}
_MINUTES = {"example": 90}


class TaskChanges(Schema):
    """What can be said of a task, now or later."""

    description = Text(most=50_000, allow_none=True, metadata=_DESCRIPTION)
    status = fields.String(validate=validate.OneOf(STATUSES), metadata={"example": "in_progress"})
    priority = Choice(PRIORITIES, metadata={"example": "high"})
    assignee_ids = UniqueIds(most=50, metadata={"description": "Members of the project; each new one is notified"})
    start_at = Instant(allow_none=True)
    due = Form(FORM, "Not a date, a local time or a time with a zone.", allow_none=True, metadata=_DUE)
    estimate_minutes = Whole(allow_none=True, validate=validate.Range(0, 1_000_000), metadata=_MINUTES)


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
    title = Line(most=500, required=True, metadata=_TITLE)
    description = Text(most=50_000, required=True, allow_none=True, metadata=_DESCRIPTION)
    status = fields.String(required=True, metadata={"enum": list(STATUSES)})
    priority = Choice(PRIORITIES, required=True)
    assignee_ids = UniqueIds(most=50, required=True)
    reporter_id = Id(required=True)
    start_at = Instant(required=True, allow_none=True)
    due = fields.String(required=True, allow_none=True, metadata=_DUE)
    due_at = Instant(required=True, allow_none=True, metadata={"description": "The moment that `due` sorts by"})
    estimate_minutes = fields.Integer(required=True, allow_none=True, metadata=_MINUTES)
    completed_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    deleted_at = Instant(required=True, allow_none=True, metadata={"description": "When it was put into the trash"})


TASK = Serialiser(TaskOut)
