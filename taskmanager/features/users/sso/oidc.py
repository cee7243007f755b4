"""Login by an OpenID Connect provider, if the settings name one.

Only then `provider` is imported: Authlib and what it needs take time at the start, and 7 MB of each process.
"""

from types import ModuleType
from typing import Any

from flask import Flask, Response, current_app

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import NotFound

EXTENSION = "taskmanager-oidc"


def init_app(app: Flask, settings: Settings) -> None:
    """Register the provider of the settings, if there is one."""
    app.secret_key = settings.secret()
    app.config.update(
        SESSION_COOKIE_NAME="taskmanager_login",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.base_url.startswith("https://"),
    )
    app.extensions[EXTENSION] = _load().make_client(app, settings) if settings.oidc_issuer else None


def redirect(callback: str) -> Response:
    """Return the redirect of the browser to the provider. Raises as `provider.redirect`, and NotFound without one."""
    response: Response = _provider().redirect(callback)
    return response


def claims(issuer: str, client_id: str) -> dict[str, Any]:
    """Return the checked claims of the user. Raises as `provider.claims`, and NotFound without a provider."""
    found: dict[str, Any] = _provider().claims(issuer, client_id)
    return found


def with_userinfo(id_claims: dict[str, Any]) -> dict[str, Any]:
    """Return the completed claims of an ID token. Raises as `provider.with_userinfo`."""
    found: dict[str, Any] = _provider().with_userinfo(id_claims)
    return found


def _provider() -> ModuleType:
    if current_app.extensions[EXTENSION] is None:
        raise NotFound("There is no login provider here.")
    return _load()


def _load() -> ModuleType:
    from taskmanager.features.users.sso import provider

    return provider
