"""What clients send and get of accounts and sessions."""

from marshmallow import fields, validate

from taskmanager.web.schemas import Email, Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser


class Registration(Schema):
    """A new account."""

    email = Email(required=True)
    password = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(8, 128),
        metadata={"example": "correct horse battery", "format": "password"},
    )
    name = Line(most=200, required=True, metadata={"example": "Ada Lovelace"})


class Credentials(Schema):
    """Who logs in."""

    email = fields.String(required=True, validate=validate.Length(3, 254), metadata={"example": "ada@example.com"})
    password = fields.String(
        required=True,
        load_only=True,
        validate=validate.Length(1, 128),
        metadata={"example": "correct horse battery", "format": "password"},
    )


class RefreshRequest(Schema):
    """A refresh token that is to be spent."""

    refresh_token = fields.String(
        required=True, validate=validate.Length(1, 200), metadata={"example": "65f1c0ffee0123456789abcd.1.3q2-7w"}
    )


class Tokens(Schema):
    """What a login gives. Send the access token as `Authorization: Bearer …`."""

    access_token = fields.String(required=True)
    refresh_token = fields.String(required=True)
    token_type = fields.String(required=True, metadata={"example": "Bearer"})
    expires_in = fields.Integer(
        required=True, metadata={"description": "Seconds the access token is good for", "example": 900}
    )


class UserOut(Schema):
    """An account, as its owner sees it."""

    id = Id(attribute="_id", required=True)
    email = Email(required=True)
    name = Line(most=200, required=True, metadata={"example": "Ada Lovelace"})
    role = fields.String(required=True, metadata={"enum": ["user", "admin"]})
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class UserPatch(Schema):
    """Changes of one's own account."""

    name = Line(most=200, metadata={"example": "Ada Lovelace"})


USER = Serialiser(UserOut)
