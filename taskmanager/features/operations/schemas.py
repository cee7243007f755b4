"""Schemas of maintenance and of the message of the day."""

from marshmallow import fields

from taskmanager.features.operations.service import MAX_CHARACTERS
from taskmanager.web.schemas import Instant, Schema, Text

_WHY = {"description": "Shown to users", "example": "We move to a larger database."}
_UNTIL = {"description": "The planned end, which sets `Retry-After`. The maintenance ends when you end it."}


class MaintenanceIn(Schema):
    """A maintenance that begins now, or changes."""

    may_be_left_out = True

    message = Text(most=MAX_CHARACTERS, load_default="", metadata=_WHY)
    until = Instant(allow_none=True, load_default=None, metadata=_UNTIL)


class MaintenanceStateOut(Schema):
    """A maintenance that lasts: everything can be read, and nothing changed."""

    message = fields.String(required=True, metadata=_WHY)
    since = Instant(required=True)
    until = Instant(required=True, allow_none=True, metadata=_UNTIL)


class MessageOfTheDayIn(Schema):
    """What administrators tell all users."""

    text = Text(
        most=MAX_CHARACTERS,
        required=True,
        metadata={"example": "The service will be in maintenance on Sunday from 6 to 7 o'clock UTC."},
    )


class MessageOfTheDayOut(Schema):
    """What administrators tell all users; clients show it as plain text."""

    text = fields.String(required=True, metadata={"example": "Maintenance on Sunday from 6 to 7 o'clock UTC."})
    since = Instant(required=True)
