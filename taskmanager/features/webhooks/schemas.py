"""Schemas of webhooks and their deliveries."""

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.core.filters.tokens import MAX_CHARACTERS
from taskmanager.features.notifications.models import STATES
from taskmanager.features.views.routes import PROBLEM, StoredFilter
from taskmanager.features.webhooks.kinds import patterns
from taskmanager.web.contributed import ChoiceList
from taskmanager.web.schemas import Flag, Form, Id, Instant, Line, Schema, WholeNumber
from taskmanager.web.serialisers import Serialiser

_URL = {
    "description": "A public address, by https unless the operator allows http, too",
    "example": "https://example.com/hook",
}
_EVENTS = {"description": "Kinds of events; `task.*` means all kinds about tasks, `*` all kinds"}
_FILTER = {
    "description": "Send only events about tasks that match; `me` is the owner of the webhook",
    "example": "priority = urgent",
    "maxLength": MAX_CHARACTERS,
}
_SECRET = {"description": "The key of the signatures, shown only once", "example": "whsec_C2FVsBQIhrscChlQIMV"}


class Url(Form):
    """The URL of a receiver."""

    def __init__(self, **kwargs: Any) -> None:
        pattern = r"^https?://[!-\x22$-.0-~][!-\x22$-~]*$"
        super().__init__(pattern, "Not a URL of http or https.", validate=validate.Length(max=2000), **kwargs)


class WebhookIn(Schema):
    """A new webhook."""

    documented = {"example": {"url": "https://example.com/hook", "events": ["task.*"]}}

    url = Url(required=True, metadata=_URL)
    description = Line(most=200, allow_none=True)
    events = ChoiceList(patterns, required=True, metadata=_EVENTS)
    filter = StoredFilter(allow_none=True, metadata=_FILTER)
    active = Flag(load_default=True)


class WebhookPatch(Schema):
    """Changes of a webhook."""

    documented = {"example": {"active": True}}

    url = Url(metadata=_URL)
    description = Line(most=200, allow_none=True)
    events = ChoiceList(patterns, metadata=_EVENTS)
    filter = StoredFilter(allow_none=True, metadata=_FILTER)
    active = Flag(metadata={"description": "True also enables a webhook that the service had disabled"})


class WebhookOut(Schema):
    """A webhook."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True, allow_none=True)
    owner_id = Id(required=True)
    url = fields.String(required=True, metadata=_URL)
    description = fields.String(required=True, allow_none=True)
    events = ChoiceList(patterns, required=True, metadata=_EVENTS)
    filter = fields.String(required=True, allow_none=True, metadata=_FILTER)
    filter_problem = fields.String(required=True, allow_none=True, metadata=PROBLEM)
    state = fields.String(required=True, metadata={"enum": ["active", "off", "disabled"]})
    disabled_at = Instant(required=True, allow_none=True)
    disabled_because = fields.String(required=True, allow_none=True)
    failing_since = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class WebhookMade(WebhookOut):
    """A webhook with its secret."""

    secret = fields.String(required=True, metadata=_SECRET)


class Rotation(Schema):
    """How long the old secret is used beside the new one."""

    may_be_left_out = True

    keep_hours = WholeNumber(load_default=24, validate=validate.Range(0, 24 * 7), metadata={"example": 24})


class DeliveryOut(Schema):
    """A delivery: one event for one webhook."""

    id = Id(attribute="_id", required=True)
    webhook_id = Id(attribute="recipient_id", required=True)
    event_id = Id(required=True)
    kind = fields.String(required=True, metadata={"example": "task.created"})
    state = fields.String(required=True, metadata={"enum": list(STATES)})
    attempts = fields.Integer(required=True)
    last_error = fields.String(required=True, allow_none=True)
    due_at = Instant(required=True, allow_none=True, metadata={"description": "The time of the next attempt"})
    created_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


class Attempt(Schema):
    """One attempt: its request without the body, and the response."""

    at = Instant(required=True)
    url = fields.String(required=True)
    request_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    status = fields.Integer(required=True, allow_none=True)
    response_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    response_body = fields.String(required=True, allow_none=True, metadata={"description": "The beginning of the body"})
    error = fields.String(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True)


class DeliveryWhole(DeliveryOut):
    """A delivery with its body and its latest attempts."""

    body = fields.String(required=True, metadata={"description": "JSON, the same at each attempt"})
    log = fields.List(fields.Nested(Attempt), required=True)


class StateField(fields.String):
    """The query parameter `state` of a list of deliveries."""

    def __init__(self) -> None:
        super().__init__(
            load_default=None,
            validate=validate.OneOf(STATES),
            metadata={"description": "Only those in this state"},
        )


def whole(row: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON of a delivery as `DeliveryWhole`."""
    attempts = [
        {
            **dict.fromkeys(("status", "response_body", "error")),
            **note,
            "request_headers": dict(note.get("request_headers", [])),
            "response_headers": dict(note.get("response_headers", [])),
        }
        for note in row.get("log", [])
    ]
    return DELIVERY.dump(row) | {"body": row["body"], "log": [_ATTEMPT.dump(note) for note in attempts]}


WEBHOOK = Serialiser(WebhookOut)
DELIVERY = Serialiser(DeliveryOut)
_ATTEMPT: ma.Schema = Attempt()
