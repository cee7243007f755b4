"""Schemas of API tokens and service accounts."""

from marshmallow import fields

from taskmanager.features.users.tokens.service import SCOPES
from taskmanager.web.contributed import ChoiceList
from taskmanager.web.schemas import Flag, Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser

_NAME = {"example": "Nightly import"}


class ApiTokenIn(Schema):
    """A new API token."""

    name = Line(most=200, required=True, metadata=_NAME)
    scopes = ChoiceList(lambda: SCOPES, required=True)
    expires_at = Instant(required=True, metadata={"example": "2027-06-01T00:00:00.000Z"})
    project_id = Id(
        allow_none=True, metadata={"description": "The one project that it gives access to; absent: all your projects"}
    )


class ApiTokenOut(Schema):
    """An API token, without its text."""

    id = Id(attribute="_id", required=True)
    name = Line(most=200, required=True, metadata=_NAME)
    scopes = ChoiceList(lambda: SCOPES, required=True)
    project_id = Id(required=True, allow_none=True)
    expires_at = Instant(required=True)
    last_used_at = Instant(required=True, allow_none=True)
    last_used_address = fields.String(required=True, allow_none=True, metadata={"example": "192.0.2.7"})
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)


class NewApiToken(ApiTokenOut):
    """A new API token; `token` is shown only in this response."""

    token = fields.String(required=True, metadata={"example": "tm_Zm9vYmFy"})


class ServiceAccountIn(Schema):
    """A new service account."""

    name = Line(most=200, required=True, metadata=_NAME)


class ServiceAccountPatch(Schema):
    """Changes of a service account."""

    name = Line(most=200, metadata=_NAME)
    disabled = Flag(metadata={"description": "The tokens of a disabled account are refused"})


class ServiceAccountOut(Schema):
    """An account of a program."""

    id = Id(attribute="_id", required=True)
    name = Line(most=200, required=True, metadata=_NAME)
    disabled_at = Instant(required=True, allow_none=True)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


API_TOKEN = Serialiser(ApiTokenOut)
NEW_API_TOKEN = Serialiser(NewApiToken)
SERVICE_ACCOUNT = Serialiser(ServiceAccountOut)
