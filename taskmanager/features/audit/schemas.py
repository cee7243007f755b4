"""Schemas of the audit log."""

from marshmallow import fields, validate

from taskmanager.web.pagination import list_query
from taskmanager.web.schemas import Id, Instant, Json, Schema
from taskmanager.web.serialisers import Serialiser


class EntryOut(Schema):
    """One thing that happened to an account or to rights."""

    id = Id(attribute="_id", required=True)
    kind = fields.String(required=True, metadata={"example": "session.started"})
    at = Instant(required=True)
    actor_id = Id(
        required=True,
        allow_none=True,
        metadata={"description": "The account that did it; null for an unknown caller or an operator"},
    )
    subject_id = Id(required=True, allow_none=True, metadata={"description": "What it happened to, such as an account"})
    address = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The network address of the client", "example": "192.0.2.7"},
    )
    request_id = fields.String(required=True, allow_none=True, metadata={"example": "9f2c4e6a8b0d4c1e"})
    data = Json(
        {"additionalProperties": {"$ref": "#/components/schemas/FieldValue"}},
        required=True,
        metadata={"description": "Details, by the kind", "example": {"user_agent": "Mozilla/5.0"}},
    )


ENTRY = Serialiser(EntryOut)


class EntryListQuery(list_query(ENTRY, {"created_at": "at seq"})):  # type: ignore[misc]
    """The query of the audit log."""

    kind = fields.String(validate=validate.Length(1, 100), metadata={"example": "session.started"})
    actor_id = Id()
    subject_id = Id()
    since = Instant(metadata={"description": "Not before"})
    until = Instant(metadata={"description": "Before"})


class OwnListQuery(list_query(ENTRY, {"created_at": "at seq"})):  # type: ignore[misc]
    """The query of the entries about your account."""

    kind = fields.String(validate=validate.Length(1, 100), metadata={"example": "session.started"})
    since = Instant(metadata={"description": "Not before"})
    until = Instant(metadata={"description": "Before"})


CHOOSING = ("kind", "actor_id", "subject_id", "since", "until")  # the parameters that filter rows
