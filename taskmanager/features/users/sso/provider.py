"""The OpenID Connect provider: the authorization code flow with PKCE, by Authlib.

Authlib makes state, nonce and code verifier, stores them in a signed cookie of the browser, fetches the tokens and
checks the ID token. This module adds what Authlib leaves open: it accepts only asymmetric signatures and the issuer and
audience of the settings, lets the state expire, sets timeouts, discards the metadata of a provider that failed, and
raises the errors of this service.
"""

from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import FlaskIntegration, FlaskOAuth2App, OAuth
from flask import Flask, Response, current_app
from joserfc.errors import JoseError

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings, current as settings_now
from taskmanager.core.errors import Unauthenticated, Unavailable
from taskmanager.features.users.sso import client_auth
from taskmanager.features.users.sso.oidc import EXTENSION
from taskmanager.features.users.sso.refusals import log_error, log_refusal

_ALGORITHMS = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"})
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_PERSONAL = ("email", "email_verified")  # claims that a first login needs
LEEWAY_SECONDS = 60  # that the provider's clock may differ
_MAX_STATES = 3  # unfinished logins of one browser; a cookie holds 4,093 bytes

Result = TypeVar("Result")


class _States(FlaskIntegration):
    """The state that Authlib stores in the cookie during a login: for ten minutes, and at most _MAX_STATES of them."""

    expires_in = 600

    def get_state_data(self, session: MutableMapping[str, Any], state: str) -> Any:
        stored = session.get(f"_state_{self.name}_{state}") or {}
        return stored.get("data") if stored.get("exp", 0) > now().timestamp() else None

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


def make_client(app: Flask, settings: Settings) -> FlaskOAuth2App:
    """Return the client of the provider of the settings. Its first request to it is made at the first login."""
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
    """Return the redirect of the browser to the provider. Raises Unavailable (`auth.oidc_unavailable`)."""
    return _call_provider(lambda client: client.authorize_redirect(callback))


def claims(issuer: str, client_id: str) -> dict[str, Any]:
    """Return the checked claims of the ID token for the code of this request.

    Raises Unauthenticated (`auth.oidc_refused`), Unavailable (`auth.oidc_unavailable`).
    """
    options = {"iss": {"essential": True, "value": issuer}, "aud": {"essential": True, "value": client_id}}
    token = _call_provider(lambda client: client.authorize_access_token(claims_options=options, leeway=LEEWAY_SECONDS))
    if "id_token" not in token or not token.get("userinfo"):  # only claims of an ID token are trusted
        log_refusal("no_id_token", issuer=issuer)
        raise _refused()
    return dict(token["userinfo"])


def with_userinfo(id_claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of an ID token, completed with those of the provider's UserInfo endpoint.

    The endpoint is not called if the ID token has an address and `email_verified`. Issuer and subject are those of the
    ID token; a response about another subject is refused (OpenID Connect Core 1.0, 5.3.2). Raises as `claims`.
    """
    if all(name in id_claims for name in _PERSONAL):
        return id_claims
    userinfo = _call_provider(_userinfo)
    if userinfo and userinfo.get("sub") != id_claims["sub"]:
        log_refusal("other_subject", claim="sub", issuer=id_claims["iss"], endpoint="userinfo")
        raise _refused()
    if id_claims.get("email", userinfo.get("email")) != userinfo.get("email"):
        userinfo.pop("email_verified", None)  # it is about another address
    return {name: userinfo[name] for name in (*_PERSONAL, "name") if name in userinfo} | id_claims


def _userinfo(client: FlaskOAuth2App) -> dict[str, Any]:
    """Return the claims of the UserInfo endpoint; {} if the provider has none."""
    if not isinstance(client.server_metadata.get("userinfo_endpoint"), str):
        return {}
    return dict(client.userinfo())


def _call_provider(step: Callable[[FlaskOAuth2App], Result]) -> Result:
    """Return the result of `step(client)`. Raises Unauthenticated, Unavailable."""
    client = current_app.extensions[EXTENSION]
    try:
        _discover(client)
        return step(client)
    except AuthlibBaseError as error:
        log_error(error, _id_token(client), issuer=settings_now().oidc_issuer)
        raise _refused() from None
    except JoseError as error:
        _begin_anew()
        log_error(error, _id_token(client), issuer=settings_now().oidc_issuer)
        raise _refused() from None
    except (requests.RequestException, RuntimeError, ValueError, LookupError, TypeError, AttributeError) as error:
        _begin_anew()
        log_refusal("provider_out_of_order", error=type(error).__name__, issuer=settings_now().oidc_issuer)
        raise Unavailable("The login provider did not respond as expected.", code="auth.oidc_unavailable") from None


def _begin_anew() -> None:
    """Use a client that knows nothing yet: Authlib keeps what the provider has published, valid or not.

    Logins in other threads keep the client that they have begun with, and what it has checked.
    """
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    app.extensions[EXTENSION] = make_client(app, settings_now())


def _id_token(client: FlaskOAuth2App) -> str | None:
    """Return the ID token of this request; None if there is none yet."""
    token = client.token
    return token.get("id_token") if isinstance(token, dict) else None


def _discover(client: FlaskOAuth2App) -> None:
    """Load the provider's discovery document (OpenID Connect Discovery 1.0, 4.3).

    Raises ValueError if an endpoint is missing, or if the issuer is not that of the settings.
    """
    metadata = client.load_server_metadata()
    if metadata.get("issuer") != settings_now().oidc_issuer or not all(
        isinstance(metadata.get(name), str) for name in _ENDPOINTS
    ):
        raise ValueError("The login provider's discovery document is not complete.")
    supported = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
    metadata["id_token_signing_alg_values_supported"] = [name for name in supported if name in _ALGORITHMS]
    method = client_auth.auth_method(settings_now().oidc_client_auth, metadata)
    client.client_kwargs["token_endpoint_auth_method"] = method


def _refused() -> Unauthenticated:
    return Unauthenticated("The login provider did not confirm your login: log in again.", code="auth.oidc_refused")
