"""What this service is and admits, for clients and people without an account: `/`, `/api/v1` and `/api/v1/info`.

All three have the same content, which depends on settings, plugins and what administrators have declared; the last is
as it was known before while the database is away. A browser that asks for `/` gets a small page with the same links.
"""

from collections.abc import Iterator
from typing import Any

import orjson
from flask import Blueprint as PlainBlueprint, Flask, Response, current_app, request

import taskmanager
from taskmanager.api import guide
from taskmanager.api.information_page import page
from taskmanager.api.information_schemas import InformationOut
from taskmanager.core import quotas, registry
from taskmanager.core.configuration import domains, settings
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.filters.tokens import MAX_CHARACTERS
from taskmanager.core.servers import service_state
from taskmanager.features.operations.schemas import MaintenanceStateOut, MessageOfTheDayOut
from taskmanager.features.users import passwords
from taskmanager.web.answers import cached
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.pagination import MAX_LIMIT
from taskmanager.web.serialisers import Serialiser
from taskmanager.web.urls import absolute

V1 = "/api/v1"
_MAINTENANCE, _MESSAGE = Serialiser(MaintenanceStateOut), Serialiser(MessageOfTheDayOut)
_SECONDS = 60

root = PlainBlueprint("root", __name__)
blp = Blueprint("information", __name__, description="What this service is, and what it admits")


def init_app(app: Flask) -> None:
    """Register the route outside of the versions."""
    app.register_blueprint(root)


@root.get("/")
def show() -> Response:
    """Return the information; as a page to clients that prefer HTML to JSON."""
    accepted, found = request.accept_mimetypes, information()
    if accepted["text/html"] > accepted["application/json"]:
        return page(found)
    return cached(orjson.dumps(found, option=orjson.OPT_INDENT_2), "application/json", _SECONDS)


@blp.route("", public=True)
@blp.response(200, InformationOut)
def get_version_root() -> Response:
    """Get what this service is and admits, at the root of the version

    The same as `GET /info`.
    """
    return cached(orjson.dumps(information()), "application/json", _SECONDS)


@blp.route("/info", public=True)
@blp.response(200, InformationOut)
def get_info() -> Response:
    """Get what this service is and admits

    Versions, ways to log in, who may make an account, limits, quotas, features and plugins, maintenance, the message of
    the day, and where to read on. No
    token is needed; caches may keep it for a minute.
    """
    return cached(orjson.dumps(information()), "application/json", _SECONDS)


def information() -> dict[str, Any]:
    """Return the members of InformationOut, for this request: URLs are those that its client uses."""
    known = settings.current()
    plugins = [feature for feature in registry.current().features if feature.is_plugin]
    return {
        "name": known.service_name,
        "product": "taskmanager",
        "version": taskmanager.__version__,
        "api_versions": list(_versions()),
        "login": list(_logins(known)),
        "signup": _signup(known),
        "limits": _limits(known),
        "quotas": {name: quotas.limit(name) or None for name in quotas.QUOTAS},
        "features": [feature.name for feature in registry.current().features if feature not in plugins],
        "plugins": [{"name": plugin.name, "version": plugin.version} for plugin in plugins],
        **_declared(),
        "links": _links(known),
    }


def _declared() -> dict[str, Any]:
    found = service_state.current()
    return {
        "maintenance": found.maintenance and _MAINTENANCE.dump(vars(found.maintenance)),
        "message_of_the_day": found.message and _MESSAGE.dump(vars(found.message)),
    }


def _versions() -> Iterator[dict[str, Any]]:
    for name, api in current_app.extensions["taskmanager-versions"].items():
        url = absolute(f"/api/{name}")
        yield {"name": name, "url": url, "document": f"{url}/openapi.json", "deprecated": api.deprecated}


def _logins(known: Settings) -> Iterator[dict[str, Any]]:
    yield {"method": "password", "title": "Password", "url": absolute(f"{V1}/auth/login")}
    if known.oidc_issuer:
        yield {"method": "oidc", "title": known.oidc_name, "url": absolute(f"{V1}/auth/oidc/login")}
    for feature in registry.current().features:
        for method in feature.login_methods:
            place = f"x/{feature.name}/login/{method.name}"
            yield {"method": place, "title": method.title, "url": absolute(f"{V1}/{place}")}


def _signup(known: Settings) -> dict[str, Any]:
    named = known.signup_domains if known.signup_policy == "domains" else ""
    return {
        "policy": known.signup_policy,
        "domains": sorted(domains.parse(named)),
        "email_confirmation_required": known.require_verified_email,
        "password_min_characters": passwords.MIN_CHARACTERS,
        "password_max_characters": passwords.MAX_CHARACTERS,
    }


def _limits(known: Settings) -> dict[str, Any]:
    return {
        "requests": known.ratelimit_default if known.ratelimit_enabled else None,
        "page_items": MAX_LIMIT,
        "filter_characters": MAX_CHARACTERS,
        "body_bytes": known.max_body_bytes,
        "attachment_bytes": known.attachment_max_bytes,
        "attachment_types": [word.strip() for word in known.attachment_types.split(",")],
        "access_token_seconds": known.access_token_minutes * 60,
        "refresh_token_days": known.refresh_token_days,
        "api_token_days": known.token_days_most,
        "idempotency_hours": known.idempotency_hours,
        "trash_days": known.trash_days,
        "event_days": known.event_days,
    }


def _links(known: Settings) -> dict[str, str | None]:
    return {
        "self": absolute(f"{V1}/info"),
        "docs": absolute("/docs"),
        "guide": absolute(f"{guide.PATH}/"),
        "document": absolute(f"{V1}/openapi.json"),
        "status": absolute("/health/ready"),
        "keys": absolute("/.well-known/jwks.json"),
        "terms": known.terms_url or None,
        "privacy": known.privacy_url or None,
        "support": known.support_url or None,
    }
