"""Schemas of the public information about the service."""

from typing import get_args

from marshmallow import fields

from taskmanager.core import quotas
from taskmanager.core.configuration.public_settings import SignupPolicy
from taskmanager.features.operations.schemas import MaintenanceStateOut, MessageOfTheDayOut
from taskmanager.web.schemas import Schema


def _text(example: str, **more: object) -> fields.String:
    return fields.String(required=True, metadata={"example": example, **more})


def _number(example: int, description: str) -> fields.Integer:
    return fields.Integer(required=True, metadata={"example": example, "description": description})


def _link(example: str) -> fields.String:
    return fields.String(required=True, allow_none=True, metadata={"format": "uri", "example": example})


class ServedVersionOut(Schema):
    """A version of the API that this service serves."""

    name = _text("v1")
    url = _text("https://tasks.example.com/api/v1", format="uri")
    document = _text("https://tasks.example.com/api/v1/openapi.json", format="uri")
    deprecated = fields.Boolean(required=True, metadata={"example": False})


class LoginMethodOut(Schema):
    """A way to log in: by a request to `url`; `oidc` by opening it in a browser."""

    method = _text("password", description="`password`, `oidc`, or `x/<plugin>/login/<method>` of a plugin")
    title = _text("Password")
    url = _text("https://tasks.example.com/api/v1/auth/login", format="uri")


class SignupOut(Schema):
    """Who may make an account."""

    policy = fields.String(required=True, metadata={"enum": list(get_args(SignupPolicy)), "example": "open"})
    domains = fields.List(
        fields.String(), required=True, metadata={"description": "The domains of the policy `domains`", "example": []}
    )
    email_confirmation_required = fields.Boolean(required=True, metadata={"example": False})
    password_min_characters = _number(8, "Of a password")
    password_max_characters = _number(128, "Of a password")


class LimitsOut(Schema):
    """The bounds of requests, and how long things are kept."""

    requests = fields.String(
        required=True,
        allow_none=True,
        metadata={"example": "600/minute", "description": "Of one account, or of one address without a login"},
    )
    page_items = _number(200, "The most items of a page")
    filter_characters = _number(1024, "The most characters of a filter")
    body_bytes = _number(1_000_000, "The most bytes of a JSON body")
    attachment_bytes = _number(25_000_000, "The most bytes of an attachment")
    attachment_types = fields.List(fields.String(), required=True, metadata={"example": ["*/*"]})
    access_token_seconds = _number(900, "Seconds for which an access token is valid")
    refresh_token_days = _number(30, "Days for which a refresh token is valid")
    api_token_days = _number(366, "The most days for which an API token is valid")
    idempotency_hours = _number(24, "Hours for which an Idempotency-Key is kept")
    trash_days = _number(30, "Days in which a deleted task or project can be restored")
    event_days = _number(365, "Days for which the event log is kept")


class LinksOut(Schema):
    """Where to read on. The operator gives `terms`, `privacy` and `support`."""

    self = _text("https://tasks.example.com/api/v1/info", format="uri")
    docs = _text("https://tasks.example.com/docs", format="uri")
    guide = _text("https://tasks.example.com/docs/guide/", format="uri")
    document = _text("https://tasks.example.com/api/v1/openapi.json", format="uri")
    status = _text("https://tasks.example.com/health/ready", format="uri")
    keys = _text("https://tasks.example.com/.well-known/jwks.json", format="uri")
    terms = _link("https://example.com/terms")
    privacy = _link("https://example.com/privacy")
    support = _link("https://example.com/support")


_LIMIT = {"example": 1000, "description": "The limit; null for none"}
QuotasOut = Schema.from_dict(
    {name: fields.Integer(required=True, allow_none=True, metadata=_LIMIT) for name in quotas.QUOTAS},
    name="QuotaLimitsOut",
)


class PluginOut(Schema):
    """An installed plugin."""

    name = _text("example")
    version = _text("1.0.0")


class InformationOut(Schema):
    """What this service is, and what it admits."""

    name = _text("Task Manager")
    product = _text("taskmanager")
    version = _text("0.2.0")
    api_versions = fields.List(fields.Nested(ServedVersionOut), required=True)
    login = fields.List(fields.Nested(LoginMethodOut), required=True)
    signup = fields.Nested(SignupOut, required=True)
    limits = fields.Nested(LimitsOut, required=True)
    quotas = fields.Nested(QuotasOut, required=True)
    features = fields.List(fields.String(), required=True, metadata={"example": ["users", "projects", "tasks"]})
    plugins = fields.List(fields.Nested(PluginOut), required=True)
    maintenance = fields.Nested(MaintenanceStateOut, required=True, allow_none=True)
    message_of_the_day = fields.Nested(MessageOfTheDayOut, required=True, allow_none=True)
    links = fields.Nested(LinksOut, required=True)
