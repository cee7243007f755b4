"""The routes of the pages: `page` puts the checks of all pages around each.

A GET changes nothing, because mail programs follow links by themselves; a POST has a form of this service.
"""

import re
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import unquote, urlencode

import flask
from flask import Flask, Response, request

from taskmanager.core.http.links import PAGES
from taskmanager.core.localization import languages
from taskmanager.core.servers import service_state
from taskmanager.core.storage.database import capacity
from taskmanager.pages import cookies, errors, rendering
from taskmanager.web.requests import keep_body
from taskmanager.web.urls import mounted

View = Callable[..., Response]
_OWN_PATH = re.compile(r"(?:[/?][A-Za-z0-9._~/?=&%+-]*)?")  # below the start of its area
_MAX_PATH_CHARACTERS = 1_000


def keeping_login(blueprint: flask.Blueprint) -> flask.Blueprint:
    """Return a blueprint that opens the cookie before the limiter counts the request, by account, and saves it."""
    blueprint.url_value_preprocessor(lambda endpoint, values: cookies.open_cookie())
    blueprint.after_request(cookies.save)
    return blueprint


blp = keeping_login(flask.Blueprint("pages", __name__, url_prefix=PAGES))


def init_app(app: Flask) -> None:
    """Register the pages, and errors as pages below their path."""
    app.register_blueprint(blp)
    app.after_request(errors.as_page)


def page(
    rule: str,
    *,
    methods: tuple[str, ...] = ("GET",),
    public: bool = False,
    in_maintenance: bool = False,
    on: flask.Blueprint = blp,
) -> Callable[[View], View]:
    """Make the decorated function the view of a page; unless it is `public`, others log in first.

    A form is refused while the service is in maintenance, unless `in_maintenance`.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(**values: Any) -> Response:
            with capacity.acquire_slot(), languages.using(errors.language()):
                if request.method == "POST":
                    _check_form(in_maintenance)
                if not public and cookies.actor() is None:
                    return redirect(f"{cookies.area()}/login?{urlencode({'next': here()})}")
                return view(**values)

        guarded.is_public = public  # type: ignore[attr-defined]
        on.add_url_rule(rule, endpoint=f"{view.__module__.rpartition('.')[2]}_{view.__name__}",
                        view_func=guarded, methods=list(methods))  # fmt: skip
        return view

    return decorate


def _check_form(in_maintenance: bool) -> None:
    keep_body(request.form.to_dict())
    cookies.check_form()
    if not in_maintenance:
        service_state.check_writable()


def here() -> str:
    """Return the path of this page with its query; of a form, the page that follows the login is the start page."""
    return request.full_path.rstrip("?") if request.method in ("GET", "HEAD") else cookies.area()


def redirect(path: str) -> Response:
    """Return a redirect to a page (303: it is fetched by GET)."""
    response = Response(status=303)
    response.headers["Location"] = mounted(path)
    return rendering.secured(response)


def next_page() -> str:
    """Return the page that follows a login: `next` of the form or the query if it is one of ours, else the start."""
    path, start = request.values.get("next", ""), cookies.area()
    rest = path.removeprefix(start)
    is_own = (
        len(path) <= _MAX_PATH_CHARACTERS and rest != path and _OWN_PATH.fullmatch(rest) and ".." not in unquote(path)
    )
    return path if is_own else start
