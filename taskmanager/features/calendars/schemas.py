"""Schemas of calendars."""

from marshmallow import fields, validate

from taskmanager.web.schemas import Form, Schema

KINDS = ("events", "todos")


class CalendarQuery(Schema):
    """The query of a calendar."""

    token = fields.String(
        required=True,
        validate=validate.Length(1, 400),
        metadata={"description": "The secret of the link", "example": "x"},
    )
    kind = Form(
        f"^(?:{'|'.join(KINDS)})$",
        "One of events and todos.",
        load_default="events",
        metadata={"description": "Events at the due of each task, or to-dos", "example": "events"},
    )


class CalendarLinkOut(Schema):
    """The address of a calendar. Who knows it reads the calendar."""

    url = fields.String(
        required=True, metadata={"example": "http://127.0.0.1:8000/api/v1/users/me/calendar.ics?token=x"}
    )
