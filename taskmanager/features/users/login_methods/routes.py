"""The routes of the login methods of a plugin."""

from collections.abc import Iterable
from typing import Any

from flask import Response, request

from taskmanager.features.users.login_methods import service as login_methods
from taskmanager.features.users.login_methods.service import LoginMethod
from taskmanager.features.users.routes import answer_login
from taskmanager.features.users.schemas import TokensOrTicket
from taskmanager.features.users.sessions import budgets
from taskmanager.features.users.sessions.service import Login
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
        return answer_login(start(method, plugin, data))

    log_in.__name__, log_in.__doc__ = (
        f"login_{plugin}_{method.name}",
        f"{method.title}\n\nThe response is that of `POST /auth/login`.",
    )
    view = blueprint.arguments(method.schema)(blueprint.response(200, TokensOrTicket)(log_in))
    options: dict[str, Any] = {"public": True, "idempotent": False, "in_maintenance": True, "problems": (401, 403, 409)}
    blueprint.route(f"/{method.name}", methods=["POST"], **options)(view)


@budgets.login_of_address
def start(method: LoginMethod, plugin: str, data: dict[str, Any]) -> Login | str:
    """Log in by a method, for the API and for pages; it counts as any login of the address."""
    client = {"user_agent": request.user_agent.string, "address": request.remote_addr or ""}
    return login_methods.login(method, plugin, data, **client)
