"""Schemas of projects and members."""

from marshmallow import fields, validate

from taskmanager.features.projects.permissions import ROLES
from taskmanager.web.openapi.variants import Variant, VariantSchema
from taskmanager.web.schemas import Color, Email, Form, Id, Instant, Line, Schema, Text, TimeZone
from taskmanager.web.serialisers import Serialiser

_KEY = ("^[A-Z][A-Z0-9]{0,9}$", "One to ten capital letters and digits, a letter first.")
_NAME = {"example": "Our application"}
_DESCRIPTION = {"description": "Markdown", "example": "What we build together."}
_TIMEZONE = {
    "description": "The time zone of whole days and local times of its tasks. Default: that of your account",
    "example": "Europe/Berlin",
}
_PARENT = {"description": "The parent project; at most three levels"}


class ProjectIn(Schema):
    """A new project."""

    documented = {"example": {"key": "APP", "name": "Our application", "color": "#33aa77"}}

    key = Form(*_KEY, required=True, metadata={"description": "Begins the keys of its tasks", "example": "APP"})
    name = Line(most=200, required=True, metadata=_NAME)
    description = Text(most=20_000, allow_none=True, metadata=_DESCRIPTION)
    color = Color(allow_none=True)
    parent_id = Id(allow_none=True, metadata=_PARENT)
    timezone = TimeZone(metadata=_TIMEZONE)


class ProjectPatch(Schema):
    """Changes of a project; its key stays."""

    documented = {"example": {"name": "Our application", "description": "What we build together."}}

    name = Line(most=200, metadata=_NAME)
    description = Text(most=20_000, allow_none=True, metadata=_DESCRIPTION)
    color = Color(allow_none=True)
    parent_id = Id(allow_none=True, metadata=_PARENT)
    timezone = TimeZone(metadata=_TIMEZONE)


class ProjectRestore(Schema):
    """How to restore a project; no body is needed."""

    may_be_left_out = True
    documented = {"example": {"key": "APP2"}}

    key = Form(*_KEY, metadata={"description": "Another key, if another project has its own by now", "example": "APP2"})


class ProjectOut(Schema):
    """A project."""

    id = Id(attribute="_id", required=True)
    key = fields.String(required=True, metadata={"example": "APP"})
    name = Line(most=200, required=True, metadata=_NAME)
    description = Text(most=20_000, required=True, allow_none=True, metadata=_DESCRIPTION)
    color = Color(required=True, allow_none=True)
    parent_id = Id(required=True, allow_none=True, metadata=_PARENT)
    timezone = fields.String(required=True, metadata=_TIMEZONE)
    position = fields.String(required=True, metadata={"description": "The key of the manual order", "example": "a1"})
    archived_at = Instant(
        required=True, allow_none=True, metadata={"description": "When it was archived and became read-only"}
    )
    deleted_at = Instant(required=True, allow_none=True, metadata={"description": "When it was moved to the trash"})
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class Place(VariantSchema):
    """The new place of something: before or after another."""

    documented = {"example": {"kind": "before", "before": "65f1c0ffee0123456789b002"}}
    variants = (
        Variant("PlaceBefore", ("before",), without=("after",), fixed="before"),
        Variant("PlaceAfter", ("after",), without=("before",), fixed="after"),
    )
    refusal = "Give either before or after."

    before = Id()
    after = Id()


class MemberIn(VariantSchema):
    """A new member, by id or by address, and the role."""

    documented = {"example": {"kind": "email", "email": "grace@example.com", "role": "member"}}
    variants = (
        Variant("MemberById", ("user_id", "role"), without=("email",), fixed="user_id"),
        Variant("MemberByEmail", ("email", "role"), without=("user_id",), fixed="email"),
    )
    refusal = "Give either user_id or email."

    user_id = Id()
    email = Email()
    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "member"})


class MemberPatch(Schema):
    """Another role for a member."""

    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "viewer"})


class Card(Schema):
    """The public profile of a member."""

    name = Line(most=200, required=True, metadata={"example": "Grace Hopper"})
    email = Email(required=True, allow_none=True, metadata={"example": "grace@example.com"})


class MemberOut(Schema):
    """A member of a project."""

    user_id = Id(required=True)
    project_id = Id(required=True)
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    user = fields.Nested(Card, required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class Transfer(Schema):
    """The new owner of a project."""

    user_id = Id(required=True)


class PermissionsOut(Schema):
    """Your permissions in a project, and those of each role."""

    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    permissions = fields.List(fields.String(), required=True, metadata={"example": ["project:read", "task:read"]})
    roles = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)


PROJECT = Serialiser(ProjectOut, long=("description",))
MEMBER = Serialiser(MemberOut)
