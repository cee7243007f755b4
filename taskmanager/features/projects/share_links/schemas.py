"""Schemas of share links."""

from marshmallow import fields, validate

from taskmanager.features.projects.permissions import LINK_ROLES
from taskmanager.web.schemas import Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser

_NAME = {"description": "A name for managers, to recognise the link", "example": "For our customer"}
_PASSWORD = {"example": "correct horse battery", "format": "password"}


class ShareLinkIn(Schema):
    """A new link."""

    role = fields.String(required=True, validate=validate.OneOf(LINK_ROLES), metadata={"example": "viewer"})
    name = Line(most=200, metadata=_NAME)
    password = fields.String(load_only=True, validate=validate.Length(8, 128), metadata=_PASSWORD)
    expires_at = Instant()


class ShareLinkPatch(Schema):
    """Changes of a link. Changing or removing (null) the password ends the visits that were opened with it."""

    role = fields.String(validate=validate.OneOf(LINK_ROLES), metadata={"example": "viewer"})
    name = Line(most=200, allow_none=True, metadata=_NAME)
    password = fields.String(load_only=True, allow_none=True, validate=validate.Length(8, 128), metadata=_PASSWORD)
    expires_at = Instant(allow_none=True)


class ShareLinkOut(Schema):
    """A link, as managers see it. `token` is a secret: it lets anyone read the project."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    role = fields.String(required=True, metadata={"enum": list(LINK_ROLES)})
    name = Line(most=200, required=True, allow_none=True, metadata=_NAME)
    token = fields.String(required=True)
    has_password = fields.Boolean(required=True)
    expires_at = Instant(required=True, allow_none=True)
    created_by = Id(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class Opening(Schema):
    """The token and the password of a link to open."""

    token = fields.String(required=True, load_only=True, validate=validate.Length(1, 200))
    password = fields.String(load_only=True, validate=validate.Length(1, 128), metadata=_PASSWORD)


class VisitOut(Schema):
    """A visit. Send the access token as `Authorization: Bearer …`."""

    access_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"example": "Bearer"})
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds until the visit ends", "example": 3600}
    )
    project_id = Id(required=True)
    role = fields.String(required=True, metadata={"enum": list(LINK_ROLES)})


SHARE_LINK = Serialiser(ShareLinkOut)
