"""What clients send and get of invitations."""

from marshmallow import fields, validate

from taskmanager.features.projects.models import STATES
from taskmanager.features.projects.permissions import ROLES
from taskmanager.web.schemas import Email, Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser


class InvitationIn(Schema):
    """Whom to invite, and as what."""

    email = Email(required=True)
    role = fields.String(required=True, validate=validate.OneOf(ROLES), metadata={"example": "member"})


class InvitationOut(Schema):
    """An invitation, as those see it who may invite. One that has expired stays `pending`."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    email = Email(required=True, allow_none=True, metadata={"description": "The address, if it was invited by it"})
    user_id = Id(required=True, allow_none=True, metadata={"description": "The id, if it was invited by it"})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    state = fields.String(required=True, metadata={"enum": list(STATES)})
    invited_by = Id(required=True)
    expires_at = Instant(required=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class WaitingOut(Schema):
    """An invitation, as the one sees it who is invited."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True)
    project_name = fields.String(required=True, allow_none=True, metadata={"example": "Our application"})
    inviter_name = fields.String(required=True, allow_none=True, metadata={"example": "Grace Hopper"})
    role = fields.String(required=True, metadata={"enum": list(ROLES)})
    expires_at = Instant(required=True)
    created_at = Instant(required=True)


class InvitationToken(Schema):
    """The token that came by mail."""

    token = Line(most=200, required=True, load_only=True)


INVITATION = Serialiser(InvitationOut)
WAITING = Serialiser(WaitingOut)
