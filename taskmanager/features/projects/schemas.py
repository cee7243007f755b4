"""What clients send and get of projects and members."""

import marshmallow as ma
from marshmallow import fields, validate

from taskmanager.features.projects.permissions import ROLES
from taskmanager.web.schemas import Email, Id, Instant, Line, Schema, Text
from taskmanager.web.serialisers import Serialiser

_KEY = validate.Regexp(r"[A-Z][A-Z0-9]{0,9}\Z", error="One to ten capital letters and digits, a letter first.")


class ProjectIn(Schema):
    """A new project."""

    key = fields.String(
        required=True, validate=_KEY, metadata={"description": "Begins the keys of its tasks", "example": "APP"}
    )
    name = Line(most=200, required=True, metadata={"example": "Our application"})
    description = Text(most=20_000, allow_none=True)


class ProjectPatch(Schema):
    """Changes of a project; its key stays."""

    name = Line(most=200)
    description = Text(most=20_000, allow_none=True)


class ProjectOut(Schema):
    """A project."""

    id = Id(attribute="_id", required=True)
    key = fields.String(required=True)
    name = Line(most=200, required=True)
    description = Text(most=20_000, required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class MemberIn(Schema):
    """Whom to add, by id or by address, and as what."""

    user_id = Id()
    email = Email(metadata={"example": "grace@example.com"})
    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "member"})

    @ma.validates_schema
    def one_of_both(self, data: dict[str, object], **_: object) -> None:
        if ("user_id" in data) == ("email" in data):
            raise ma.ValidationError("Give either user_id or email.")


class MemberPatch(Schema):
    """Another role for a member."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "viewer"})


class Card(Schema):
    """What members see of each other."""

    name = Line(most=200, required=True)
    email = Email(required=True)


class MemberOut(Schema):
    """A member of a project."""

    user_id = Id(required=True)
    project_id = Id(required=True)
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    user = fields.Nested(Card, required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


PROJECT = Serialiser(ProjectOut)
MEMBER = Serialiser(MemberOut)
