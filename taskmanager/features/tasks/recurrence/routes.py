"""Routes of reminders, and of the occurrences of a recurring task."""

from typing import Any

from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.core.clock import iso
from taskmanager.features.tasks.due import FORM
from taskmanager.features.tasks.recurrence import service as recurrence
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.tasks.reminders.models import RELATIVE_TO
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.openapi.variants import Variant, VariantSchema
from taskmanager.web.pagination import IntegerParameter, item_query, list_query, page_of
from taskmanager.web.schemas import Flag, Form, Id, Instant, Schema, WholeNumber
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("reminders", __name__, scope="tasks", description="Reminders, and occurrences of recurring tasks")

_RELATIVE = {"description": "The time of the task to which `minutes_before` refers", "example": "due"}
_MINUTES = {"description": "Negative: minutes after that time", "example": 30}
_UNTIL = {
    "description": "The end of the period: a day or a time; without a zone it is in the zone of the project",
    "example": "2027-12-31",
}
_YEAR = 366 * 24 * 60


class OccurrencesQuery(Schema):
    """The period and the greatest number of occurrences."""

    until = Form(FORM, "Not a day or a time.", metadata=_UNTIL)
    limit = IntegerParameter(
        load_default=50,
        validate=validate.Range(1, recurrence.MAX_OCCURRENCES),
        metadata={"description": "The greatest number of occurrences", "example": 50},
    )


class Occurrence(Schema):
    """An expected due of the task."""

    due = fields.String(required=True, metadata={"example": "2026-12-01"})
    due_at = Instant(required=True)


class OccurrencesOut(Schema):
    """The occurrences, in order."""

    items = fields.List(fields.Nested(Occurrence), required=True)


class ReminderIn(VariantSchema):
    """A new reminder: `at` a moment, or `minutes_before` the start or due that it is `relative_to`."""

    documented = {"example": {"kind": "before", "relative_to": "due", "minutes_before": 30}}
    variants = (
        Variant("ReminderAt", ("at",), without=("relative_to", "minutes_before"), fixed="at"),
        Variant("ReminderBefore", ("relative_to", "minutes_before"), without=("at",), fixed="before"),
    )
    refusal = "Give either at, or relative_to and minutes_before."

    at = Instant()
    relative_to = fields.String(validate=validate.OneOf(RELATIVE_TO), metadata=_RELATIVE)
    minutes_before = WholeNumber(validate=validate.Range(-_YEAR, _YEAR), metadata=_MINUTES)

    fire_if_past = Flag(metadata={"description": "Fire at once when its time is past", "example": False})


class ReminderOut(Schema):
    """A reminder of yours."""

    id = Id(attribute="_id", required=True)
    task_id = Id(required=True)
    at = Instant(required=True, allow_none=True)
    relative_to = fields.String(required=True, allow_none=True, metadata=_RELATIVE)
    minutes_before = fields.Integer(required=True, allow_none=True, metadata=_MINUTES)
    fire_at = Instant(
        required=True,
        allow_none=True,
        metadata={"description": "Null when it has fired, the task has no such time, or the time was past when set"},
    )
    fired_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


REMINDER = Serialiser(ReminderOut)
_PATH = "/tasks/<objectid:task_id>/reminders"


@blp.route("/tasks/<objectid:task_id>/occurrences")
@blp.arguments(OccurrencesQuery, location="query")
@blp.response(200, OccurrencesOut)
def list_occurrences(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List when a recurring task will be due again

    The occurrences after its current due, for a year or `until`; empty for a task that does not recur.
    """
    found = recurrence.occurrences(task_id, query.get("until"), query["limit"], actor=current_actor())
    return answers.derived({"items": [row | {"due_at": iso(row["due_at"])} for row in found]})


@blp.route(_PATH, methods=["POST"])
@blp.arguments(ReminderIn)
@blp.response(201, ReminderOut)
def create_reminder(data: dict[str, Any], task_id: ObjectId) -> Response:
    """Set a reminder of a task for yourself

    A relative reminder follows the start or due of the task. For a whole day, minutes count from nine in the morning. A
    reminder whose time is past does not fire, unless `fire_if_past` is true.
    """
    reminder = reminders.create(task_id, data, actor=current_actor())
    return answers.created(reminder, REMINDER, f"/tasks/{task_id}/reminders/{reminder.id}")


@blp.route(_PATH, replicas="lists")
@blp.arguments(list_query(REMINDER, {"created_at": "created_at"}), location="query")
@blp.response(200, page_of(ReminderOut))
def list_reminders(query: dict[str, Any], task_id: ObjectId) -> Response:
    """List your reminders of a task

    Only your own reminders; other users do not see them.
    """
    return answers.listing(query, REMINDER, reminders.visible(task_id, current_actor()))


@blp.route(f"{_PATH}/<objectid:reminder_id>")
@blp.arguments(item_query(REMINDER), location="query")
@blp.response(200, ReminderOut)
def get_reminder(query: dict[str, Any], task_id: ObjectId, reminder_id: ObjectId) -> Response:
    """Get one of your reminders

    404 for a reminder of another user.
    """
    return answers.resource(reminders.get(task_id, reminder_id, actor=current_actor()), REMINDER, query)


@blp.route(f"{_PATH}/<objectid:reminder_id>", methods=["PUT"])
@blp.arguments(ReminderIn)
@blp.response(200, ReminderOut)
def replace_reminder(data: dict[str, Any], task_id: ObjectId, reminder_id: ObjectId) -> Response:
    """Replace a reminder

    A reminder that has fired fires again when its new time is in the future.
    """
    reminder = reminders.update(task_id, reminder_id, data, if_match=if_match(), actor=current_actor())
    return answers.resource(reminder, REMINDER)


@blp.route(f"{_PATH}/<objectid:reminder_id>", methods=["DELETE"])
@blp.response(204)
def delete_reminder(task_id: ObjectId, reminder_id: ObjectId) -> Response:
    """Delete one of your reminders

    Nothing is sent for it any more.
    """
    reminders.delete(task_id, reminder_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()
