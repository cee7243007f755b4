"""Routes of the login by a provider."""

from typing import Any

import marshmallow as ma
from flask import Response, request
from marshmallow import fields, validate

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Unauthenticated
from taskmanager.features.users.routes import answer_login
from taskmanager.features.users.schemas import TokensOrTicket
from taskmanager.features.users.sso import oidc, refusals as oidc_refusals, service as identities
from taskmanager.web import answers
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Email, Schema

auth = Blueprint("oidc", __name__, url_prefix="/auth/oidc", description="Login by an OpenID Connect provider")


class ProviderOut(Schema):
    """The login provider of this instance."""

    enabled = fields.Boolean(required=True)
    name = fields.String(required=True, allow_none=True, metadata={"example": "Example Inc."})


class Callback(Schema):
    """What a provider sends back; it may send more."""

    code = fields.String(metadata={"description": "What the provider gives for tokens"})
    state = fields.String(metadata={"description": "What the browser was sent with"})
    error = fields.String(metadata={"description": "Why the provider refuses", "example": "access_denied"})


class Claims(ma.Schema):
    """Whom an ID token is about; it may hold more."""

    iss = fields.String(required=True)
    sub = fields.String(required=True, validate=validate.Length(1, 255))  # OpenID Connect Core 1.0, 2


class PersonalClaims(Claims):
    """What is taken over at a first login."""

    email = Email()
    email_verified = fields.Raw(allow_none=True)
    name = fields.Raw(allow_none=True)


@auth.route("", public=True)
@auth.response(200, ProviderOut)
def get_provider() -> Response:
    """Get the login provider, if there is one"""
    known = settings.current()
    enabled = bool(known.oidc_issuer)
    return answers.data({"enabled": enabled, "name": known.oidc_name if enabled else None})


@auth.route("/login", public=True, problems=(401, 404))
@auth.response(302)
def begin_provider_login() -> Response:
    """Log in by the provider

    Open this in a browser: it is sent to the provider, and comes back to the callback. 404 where there is none.
    """
    response = oidc.redirect(f"{settings.current().base_url}/api/v1/auth/oidc/callback")
    response.headers["Cache-Control"] = "no-store"
    return response


@auth.route("/callback", public=True, problems=(401, 403, 404, 409))
@auth.arguments(Callback, location="query", unknown=ma.EXCLUDE)  # providers send more than they need
@auth.response(200, TokensOrTicket)
def finish_provider_login(query: dict[str, Any]) -> Response:
    """Come back from the provider

    The answer is that of `POST /auth/login`. The first time makes an account, or joins the one that has the
    address. Both sides must have confirmed it: else 401 `auth.oidc_unverified`, or 409 `auth.oidc_email_taken`. After
    that the provider's id of the person counts, whatever address it tells.
    """
    known = settings.current()
    claims = oidc.claims(known.oidc_issuer, known.oidc_client_id)
    person = _checked(Claims, claims)
    if not identities.is_known(person):  # for one who is, nothing but issuer and subject counts
        person = _checked(PersonalClaims, oidc.with_userinfo(claims))
    started = identities.login(person, user_agent=request.user_agent.string, address=request.remote_addr or "")
    return answer_login(started)


def _checked(schema: type[ma.Schema], claims: dict[str, Any]) -> dict[str, Any]:
    try:
        checked: dict[str, Any] = schema(unknown=ma.EXCLUDE).load(claims)
    except ma.ValidationError as error:
        oidc_refusals.refused("invalid_claim", claim=sorted(error.normalized_messages()), issuer=claims.get("iss"))
        detail = "The login provider tells things of you that cannot be."
        raise Unauthenticated(detail, code="auth.oidc_refused") from None
    return checked
