"""The routes of the login methods of a plugin."""

from collections.abc import Iterable
from typing import Any

from flask import Response, request

from taskmanager.core.configuration import settings
from taskmanager.extensions import limiter
from taskmanager.features.users.login_methods import service as login_methods
from taskmanager.features.users.login_methods.service import LoginMethod
from taskmanager.features.users.routes import answer_login
from taskmanager.features.users.schemas import TokensOrTicket
from taskmanager.web import limits
from taskmanager.web.blueprint import Blueprint


def blueprint_of(plugin: str, methods: Iterable[LoginMethod]) -> Blueprint:
    """Return a blueprint with a route for each method."""
    blueprint = Blueprint(
        f"{plugin} login", __name__, url_prefix="/login", description=f"Logins of the plugin {plugin}"
    )
    for method in methods:
        _add(blueprint, plugin, method)
    return blueprint


def _add(blueprint: Blueprint, plugin: str, method: LoginMethod) -> None:
    def log_in(data: dict[str, Any]) -> Response:
        return _log_in(method, plugin, data)

    log_in.__name__, log_in.__doc__ = (
        f"login_{plugin}_{method.name}",
        f"{method.title}\n\nThe response is that of `POST /auth/login`.",
    )
    view = blueprint.arguments(method.schema)(blueprint.response(200, TokensOrTicket)(log_in))
    options: dict[str, Any] = {"public": True, "idempotent": False, "in_maintenance": True, "problems": (401, 403, 409)}
    blueprint.route(f"/{method.name}", methods=["POST"], **options)(view)


@limiter.limit(lambda: settings.current().ratelimit_login_address, key_func=limits.address)
def _log_in(method: LoginMethod, plugin: str, data: dict[str, Any]) -> Response:
    """Log in by a method. All methods share one limit, since the limiter identifies a limit by its function."""
    client = {"user_agent": request.user_agent.string, "address": request.remote_addr or ""}
    return answer_login(login_methods.login(method, plugin, data, **client))
