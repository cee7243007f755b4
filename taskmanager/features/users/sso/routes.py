"""Routes of the login by a login provider."""

from typing import Any

import marshmallow as ma
from flask import Response, request
from marshmallow import fields, validate

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Unauthenticated
from taskmanager.features.users.routes import answer_login
from taskmanager.features.users.schemas import TokensOrTicket
from taskmanager.features.users.sessions.service import Login
from taskmanager.features.users.sso import oidc, service as identities
from taskmanager.features.users.sso.refusals import log_refusal
from taskmanager.web import answers
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.schemas import Email, Schema

auth = Blueprint("oidc", __name__, url_prefix="/auth/oidc", description="Login by an OpenID Connect provider")


class ProviderOut(Schema):
    """The login provider of this instance."""

    enabled = fields.Boolean(required=True)
    name = fields.String(required=True, allow_none=True, metadata={"example": "Example Inc."})


class Callback(Schema):
    """The parameters that a provider sends to the callback; it may send more."""

    code = fields.String(metadata={"description": "The authorization code, which the service exchanges for tokens"})
    state = fields.String(metadata={"description": "The state of the redirect to the provider"})
    error = fields.String(metadata={"description": "Why the provider refused the login", "example": "access_denied"})


class Claims(ma.Schema):
    """The claims of an ID token that identify the user; it may have more."""

    iss = fields.String(required=True)
    sub = fields.String(required=True, validate=validate.Length(1, 255))  # OpenID Connect Core 1.0, 2


class PersonalClaims(Claims):
    """The claims that a first login uses."""

    email = Email()
    email_verified = fields.Raw(allow_none=True)
    name = fields.Raw(allow_none=True)


@auth.route("", public=True)
@auth.response(200, ProviderOut)
def get_login_provider() -> Response:
    """Get the login provider, if there is one

    Public. Tells whether the operator has set up a provider of OpenID Connect, so that a page can show a button for
    it.
    """
    known = settings.current()
    enabled = bool(known.oidc_issuer)
    return answers.data({"enabled": enabled, "name": known.oidc_name if enabled else None})


@auth.route("/login", public=True, problems=(401, 404))
@auth.response(302)
def begin_provider_login() -> Response:
    """Log in by the provider

    Open this in a browser: it is redirected to the provider, and from there to the callback. 404 if there is no
    provider.
    """
    response = oidc.redirect(f"{settings.current().base_url}/api/v1/auth/oidc/callback")
    response.headers["Cache-Control"] = "no-store"
    return response


@auth.route("/callback", public=True, problems=(401, 403, 404, 409))
@auth.arguments(Callback, location="query", unknown=ma.EXCLUDE)  # providers send more than they need
@auth.response(200, TokensOrTicket)
def finish_provider_login(query: dict[str, Any]) -> Response:
    """Finish a login by the provider

    The response is that of `POST /auth/login`. The first login makes an account, or links the account that has the
    address. Both sides must have confirmed the address: otherwise 401 `auth.oidc_unverified`, or 409
    `auth.oidc_email_taken`. Where sign-up is not open, a first login that would make an account is refused like a
    registration: 403 `signup.…`. Later logins use only the provider's id of the user, whatever the address is.
    """
    return answer_login(finish())


def finish() -> Login | str:
    """Return the session of the user whom the provider has sent back, or the ticket for the second step."""
    known = settings.current()
    claims = oidc.claims(known.oidc_issuer, known.oidc_client_id)
    user_claims = _checked(Claims, claims)
    if not identities.is_known(user_claims):  # for a known user, only issuer and subject matter
        user_claims = _checked(PersonalClaims, oidc.with_userinfo(claims))
    return identities.login(user_claims, user_agent=request.user_agent.string, address=request.remote_addr or "")


def _checked(schema: type[ma.Schema], claims: dict[str, Any]) -> dict[str, Any]:
    try:
        checked: dict[str, Any] = schema(unknown=ma.EXCLUDE).load(claims)
    except ma.ValidationError as error:
        log_refusal("invalid_claim", claim=sorted(error.normalized_messages()), issuer=claims.get("iss"))
        detail = "The login provider sent claims that are not valid."
        raise Unauthenticated(detail, code="auth.oidc_refused") from None
    return checked
