"""Schemas of the writes of a client that was offline."""

from typing import Any

from marshmallow import fields, validate

from taskmanager.web.openapi.problems import Problem
from taskmanager.web.schemas import MAX_REVISION, Flag, Form, Id, Json, Schema, WholeNumber

MAX_WRITES = 100
_OBJECT: dict[str, Any] = {"additionalProperties": {}, "example": {}}
_NAME = "[A-Za-z0-9_-]{1,40}"


class WriteIn(Schema):
    """One write: the method, path and body of the single request, with what makes it safe to send late and twice."""

    mutation_id = Form(
        "^[A-Za-z0-9._:-]{1,64}$",
        "1 to 64 letters, digits and . _ : -.",
        required=True,
        metadata={
            "description": "Names this write: sent again within 30 days, it has no second effect",
            "example": "phone-1-42",
        },
    )
    method = fields.String(
        required=True, validate=validate.OneOf(("POST", "PATCH", "PUT", "DELETE")), metadata={"example": "PATCH"}
    )
    path = Form(
        r"^(?:/[A-Za-z0-9._~:%+-]{1,100}){1,8}(?:\?[A-Za-z0-9._~%+=&-]{1,200})?$",
        "A path below the version, such as /tasks/65f1c0ffee0123456789abcd, and perhaps a query.",
        required=True,
        metadata={
            "description": "The path below the version, with the query of the single request if it has one. An id may"
            " be `temp:` with the `temp_id` of an earlier write",
            "example": "/tasks/temp:a",
        },
    )
    body = Json(_OBJECT, metadata={"description": "The body of the single request", "example": {"title": "Pay rent"}})
    temp_id = Form(
        f"^{_NAME}$",
        "Letters, digits, - and _.",
        metadata={"description": "Only with POST: names the new object in later writes", "example": "a"},
    )
    if_revision = WholeNumber(
        validate=validate.Range(0, MAX_REVISION),
        metadata={"description": "The revision on which the write is based", "example": 3},
    )
    base = Json(
        _OBJECT,
        metadata={
            "description": "Only with PATCH: the values that the fields of `body` had in that revision. When the object"
            " has changed meanwhile, but these fields have not, the write is merged with the change",
            "example": {"title": "Pay"},
        },
    )


class WritesIn(Schema):
    """The writes, in their order."""

    mode = fields.String(
        load_default="in_order",
        validate=validate.OneOf(("in_order", "independent")),
        metadata={
            "description": "`in_order`: the first write that fails ends the request. `independent`: only what needs the"
            " object of a failed write fails with it",
            "example": "in_order",
        },
    )
    writes = fields.List(fields.Nested(WriteIn), required=True, validate=validate.Length(1, MAX_WRITES))


class WriteResult(Schema):
    """The result of a write."""

    index = fields.Integer(required=True)
    mutation_id = fields.String(required=True, metadata={"example": "phone-1-42"})
    status = fields.Integer(required=True, metadata={"description": "The status of the single request"})
    body = Json(
        _OBJECT,
        required=True,
        allow_none=True,
        metadata={"description": "The body of the single response; with `replayed` its `id` and `revision`"},
    )
    problem = fields.Nested(Problem, required=True, allow_none=True)
    temp_id = fields.String()
    id = Id(
        required=True, allow_none=True, metadata={"description": "The id of the object with this `temp_id`; else null"}
    )
    merged = Flag(required=True, metadata={"description": "True when it was merged with another change, by `base`"})
    replayed = Flag(
        required=True,
        metadata={"description": "True when it was carried out before: `body` has `id` and `revision` of then"},
    )
    mine = Json(_OBJECT, required=True, allow_none=True, metadata={"description": "With 412: the body of this write"})
    theirs = Json(
        _OBJECT,
        required=True,
        allow_none=True,
        metadata={"description": "With 412: the object as it is now; null when it is gone"},
    )


class WritesOut(Schema):
    """The results, in the order of the writes."""

    results = fields.List(fields.Nested(WriteResult), required=True)
