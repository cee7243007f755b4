"""The schema of errors."""

import marshmallow as ma
from marshmallow import fields

from taskmanager.web.schemas import Schema


class ProblemItem(Schema):
    """One error of a request."""

    location = fields.String(required=True, metadata={"example": "body.title"})
    message = fields.String(required=True, metadata={"example": "Missing data for required field."})
    code = fields.String(required=True, metadata={"example": "required"})


class Problem(Schema):
    """RFC 9457 problem details: the shape of every error."""

    class Meta:
        unknown = ma.INCLUDE  # the RFC lets problems have more members, and clients must ignore what they do not know

    type = fields.String(
        required=True, metadata={"format": "uri-reference", "description": "The address of a page about the code"}
    )
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    code = fields.String(
        required=True, metadata={"description": "A stable identifier for programs, such as `task.blocked`"}
    )
    detail = fields.String(required=True)
    instance = fields.String(required=True, metadata={"description": "The path of the request"})
    request_id = fields.String(required=True, metadata={"description": "Give it when you report the problem"})
    errors = fields.List(
        fields.Nested(ProblemItem), metadata={"description": "The errors of the request, one for each part"}
    )
    permission = fields.String(metadata={"description": "The permission that is missing"})
