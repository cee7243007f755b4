"""The routes of the pages for operators: `ops_page` admits administrators alone."""

from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import flask
from flask import Flask, Response, request

from taskmanager.api.metrics import unless_away
from taskmanager.core.events import positions
from taskmanager.core.http.links import OPS
from taskmanager.pages import forms, login, rendering
from taskmanager.pages.blueprint import View, keeping_login, page, redirect
from taskmanager.pages.live import stream
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.urls import mounted

MAX_ROWS = 100
MAX_SEARCH_CHARACTERS = 200
_MENU = (
    ("", "Now"),
    ("/queues", "Queues"),
    ("/deliveries", "Deliveries"),
    ("/events", "Events"),
    ("/schedules", "Schedules"),
    ("/users", "Users"),
    ("/audit", "Audit"),
    ("/space", "Space and quotas"),
    ("/slow", "Slow queries"),
    ("/settings", "Settings"),
)

blp = keeping_login(flask.Blueprint("ops", __name__, url_prefix=OPS))
_LOGIN = (
    page("/login", public=True, on=blp)(login.show),
    page("/login", methods=("POST",), public=True, in_maintenance=True, on=blp)(login.log_in),
    page("/second-factor", methods=("POST",), public=True, in_maintenance=True, on=blp)(login.finish),
    page("/logout", methods=("POST",), public=True, in_maintenance=True, on=blp)(login.log_out),
    page(stream.TICKETS, methods=("POST",), in_maintenance=True, on=blp)(stream.create_ticket),
)
_LIVE = ("", "/queues", "/deliveries", "/events", "/schedules")  # show what changes by itself


def init_app(app: Flask) -> None:
    """Register the pages."""
    app.register_blueprint(blp)


def ops_page(rule: str, *, methods: tuple[str, ...] = ("GET",), in_maintenance: bool = False) -> Callable[[View], View]:
    """Make the decorated function the view of a page for administrators."""

    def decorate(view: View) -> View:
        @wraps(view)
        def for_administrators(**values: Any) -> Response:
            if current_actor().role != "admin":
                return forms.tell("This is for administrators", "Log in with the account of one.", status=403)
            return view(**values)

        return page(rule, methods=methods, in_maintenance=in_maintenance, on=blp)(for_administrators)

    return decorate


def show(template: str, title: str, **context: Any) -> Response:
    """Return a page with the menu; with `?live=on` it follows the live stream, and is fetched again when it moves."""
    here = request.path.removeprefix(OPS)
    query = request.args.to_dict()
    is_live = query.pop("live", "") == "on" and here in _LIVE
    other = query if is_live else query | {"live": "on"}
    context |= {"title": title, "menu": _MENU, "here": here, "live": None}
    context["toggle"] = (f"{here}?{urlencode(other)}" if other else here) if here in _LIVE else None
    if not is_live:
        return rendering.render(template, **context)
    context["live"] = stream.places() | {
        "page": mounted(request.full_path),
        "position": unless_away(positions.head) or 0,
    }
    return stream.connected(rendering.render(template, **context))


def done(path: str) -> Response:
    """Return a redirect to a page for operators, after a form was sent."""
    return redirect(f"{OPS}{path}")


def searched(name: str = "q") -> str:
    """Return what the query looks for, trimmed, bounded, and without what is not printable, such as NUL."""
    given = request.args.get(name, "")[:MAX_SEARCH_CHARACTERS]
    return "".join(letter for letter in given if letter.isprintable()).strip()
