"""Schemas of invitations."""

from marshmallow import fields, validate

from taskmanager.features.projects.models import STATES
from taskmanager.features.projects.permissions import ROLES
from taskmanager.web.schemas import Email, Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser


class InvitationIn(Schema):
    """The address to invite, and the role."""

    email = Email(required=True)
    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "member"})


class InvitationOut(Schema):
    """An invitation, as inviters see it. An expired invitation stays `pending`."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    email = Email(
        required=True, allow_none=True, metadata={"description": "The address, if the invitation was by address"}
    )
    user_id = Id(
        required=True, allow_none=True, metadata={"description": "The account's id, if the invitation was by id"}
    )
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    state = fields.String(required=True, metadata={"enum": list(STATES)})
    invited_by = Id(required=True)
    expires_at = Instant(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class WaitingOut(Schema):
    """An invitation, as the invited user sees it."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    project_name = fields.String(required=True, allow_none=True, metadata={"example": "Our application"})
    inviter_name = fields.String(required=True, allow_none=True, metadata={"example": "Grace Hopper"})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    expires_at = Instant(required=True)
    created_at = Instant(required=True)


class InvitationToken(Schema):
    """The token from the mail."""

    token = Line(most=200, required=True, load_only=True)


INVITATION = Serialiser(InvitationOut)
WAITING = Serialiser(WaitingOut)
