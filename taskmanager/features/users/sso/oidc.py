"""Login by an OpenID Connect provider: the code flow with PKCE, by Authlib.

Authlib makes state, nonce and code verifier, keeps them in a signed cookie of this browser, fetches the tokens
and checks the ID token. What it leaves open is closed here: only asymmetric signatures, the issuer and the
audience of the settings, a state that ends, bounded waits, nothing remembered of a provider that was out of
order, and errors in the shape of all others.
"""

from collections.abc import MutableMapping
from typing import Any

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, OAuth
from flask import Flask, Response, current_app
from joserfc.errors import JoseError

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings, current as settings_now
from taskmanager.core.errors import NotFound, Unauthenticated, Unavailable
from taskmanager.features.users.sso import client_auth as oidc_client_auth, refusals as oidc_refusals

_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
_EXTENSION = "taskmanager-oidc"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_PERSONAL = ("email", "email_verified")  # what a first login needs
LEEWAY_SECONDS = 60  # by which the provider's clock may differ
_MAX_STATES = 3  # logins that one browser may have begun at once; a cookie holds 4,093 bytes


class _States(FlaskIntegration):
    """What Authlib keeps in the cookie of a browser that is at the provider: ten minutes long, the newest few."""

    expires_in = 600

    def get_state_data(self, session: MutableMapping[str, Any], state: str) -> Any:
        kept = session.get(f"_state_{self.name}_{state}") or {}
        return kept.get("data") if kept.get("exp", 0) > now().timestamp() else None

    def set_state_data(self, session: MutableMapping[str, Any], state: str, data: Any) -> None:
        begun = sorted(
            (name for name in session if name.startswith(f"_state_{self.name}_")), key=lambda name: session[name]["exp"]
        )
        for name in begun[: max(0, len(begun) - _MAX_STATES + 1)]:
            del session[name]
        super().set_state_data(session, state, data)
        session[f"_state_{self.name}_{state}"]["exp"] = now().timestamp() + self.expires_in


class _OAuth(OAuth):
    framework_integration_cls = _States


def init_app(app: Flask, settings: Settings) -> None:
    """Register the provider of the settings, if there is one. It is first asked at the first login."""
    app.secret_key = settings.secret()
    app.config.update(
        SESSION_COOKIE_NAME="taskmanager_login",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
    )
    app.extensions[_EXTENSION] = _client(app, settings) if settings.oidc_issuer else None


def _client(app: Flask, settings: Settings) -> Any:
    return _OAuth(app).register(
        "oidc",
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret.get_secret_value(),
        server_metadata_url=f"{settings.oidc_issuer.rstrip('/')}/.well-known/openid-configuration",
        client_kwargs={
            "scope": "openid email profile",
            "code_challenge_method": "S256",
            "default_timeout": settings.oidc_timeout_seconds,
        },
    )


def redirect(callback: str) -> Response:
    """Return the answer that sends the browser to the provider. Raises NotFound when there is none, Unavailable."""
    return _asking(lambda client: client.authorize_redirect(callback))


def claims(issuer: str, client_id: str) -> dict[str, Any]:
    """Return the checked claims of the ID token that the code of this request gives.

    Raises NotFound when there is no provider, Unauthenticated, Unavailable.
    """
    wanted = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    token = _asking(lambda client: client.authorize_access_token(claims_options=wanted, leeway=LEEWAY_SECONDS))
    if "id_token" not in token or not token.get("userinfo"):  # only an ID token vouches for its claims
        oidc_refusals.refused("no_id_token", issuer=issuer)
        raise _refused()
    return dict(token["userinfo"])


def with_userinfo(said: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of an ID token with what the provider tells of the person only at its UserInfo endpoint.

    An ID token that has an address and says whether it is confirmed is enough. Issuer and subject are those of the ID
    token, and an answer about another subject is refused (OpenID Connect Core 1.0, 5.3.2). Raises as `claims`.
    """
    if all(name in said for name in _PERSONAL):
        return said
    more = _asking(_userinfo)
    if more and more.get("sub") != said["sub"]:
        oidc_refusals.refused("other_subject", claim="sub", issuer=said["iss"], endpoint="userinfo")
        raise _refused()
    if said.get("email", more.get("email")) != more.get("email"):
        more.pop("email_verified", None)  # it is about another address
    return {name: more[name] for name in (*_PERSONAL, "name") if name in more} | said


def _userinfo(client: Any) -> dict[str, Any]:
    """Return what the UserInfo endpoint says; nothing where there is none."""
    if not isinstance(client.server_metadata.get("userinfo_endpoint"), str):
        return {}
    return dict(client.userinfo())


def _asking(step: Any) -> Any:
    client = current_app.extensions[_EXTENSION]
    if client is None:
        raise NotFound("There is no login provider here.")
    try:
        _discover(client)
        return step(client)
    except AuthlibBaseError as error:
        oidc_refusals.explained(error, _id_token(client), issuer=settings_now().oidc_issuer)
        raise _refused() from None
    except JoseError as error:
        client.server_metadata.clear()
        oidc_refusals.explained(error, _id_token(client), issuer=settings_now().oidc_issuer)
        raise _refused() from None
    except (requests.RequestException, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        client.server_metadata.clear()  # Authlib keeps what it got, good or bad: it is asked for again
        oidc_refusals.refused("provider_out_of_order", error=type(error).__name__, issuer=settings_now().oidc_issuer)
        raise Unavailable("The login provider does not answer as it should.", code="auth.oidc_unavailable") from None


def _id_token(client: Any) -> Any:
    """Return the ID token that this request got, if it got so far."""
    token = client.token
    return token.get("id_token") if isinstance(token, dict) else None


def _discover(client: Any) -> None:
    """Load what the provider says of itself. Raises ValueError unless it is whole, and of the issuer of the settings.

    OpenID Connect Discovery 1.0, 4.3.
    """
    metadata = client.load_server_metadata()
    if metadata.get("issuer") != settings_now().oidc_issuer or not all(
        isinstance(metadata.get(name), str) for name in _ENDPOINTS
    ):
        raise ValueError("The login provider's description of itself is not whole.")
    known = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [name for name in known if name in _ALGORITHMS]
    auth = oidc_client_auth.chosen(settings_now().oidc_client_auth, metadata)
    client.client_kwargs["token_endpoint_auth_method"] = auth


def _refused() -> Unauthenticated:
    return Unauthenticated("The login provider did not vouch for you: begin again.", code="auth.oidc_refused")
