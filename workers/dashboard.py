"""`taskmanager dashboard`: rq-dashboard, for administrators only.

It is a separate process. The login form asks for an administrator's access token of `POST /api/v1/auth/login`, with
the second factor if there is one. A cookie keeps the token, and each request checks it, so that the end of the session
ends the access to the dashboard too.
"""

from collections.abc import Callable, Iterable
from http.cookies import CookieError, SimpleCookie
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import click
import rq.serializers
from flask import Blueprint, Flask, Response, redirect, request

from taskmanager.app import create_app
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import TaskManagerError, Unauthenticated
from taskmanager.core.events import rq_jobs
from taskmanager.core.events.outbox import CallSerializer
from taskmanager.core.servers.stores import queue_store
from taskmanager.web.authentication.actors import current_actor
from workers import fitness

COOKIE = "taskmanager_dashboard"
_FORM = b"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Queues</title>
<form method="post" action="/login"><p><label>An administrator's access token:
<input name="token" type="password" autocomplete="off"></label> <button>Open</button></p></form></html>"""


def make_app(settings: Settings) -> Flask:
    """Return the application with the dashboard at `/queues`."""
    rq.serializers.DefaultSerializer = CallSerializer  # type: ignore[misc, assignment] # what rq-dashboard reads jobs with: never a pickle
    rq_jobs.restrict_plain_rq()  # rq-dashboard takes no class of jobs
    from rq_dashboard.web import blueprint, config

    config.serializer = CallSerializer
    app = create_app(settings)
    app.config.from_object("rq_dashboard.default_settings")
    app.config["RQ_DASHBOARD_REDIS_URL"] = (settings.queue_url,)
    app.redis_conn = queue_store()  # type: ignore[attr-defined]
    app.register_blueprint(_login)
    # its pages link to a file in the static folder of the application, which this one does not have
    app.add_url_rule("/static/<path:filename>", "static", lambda filename: Response(status=404))
    app.register_blueprint(blueprint, url_prefix="/queues")
    app.before_request_funcs.setdefault("rq_dashboard", []).insert(0, _only_administrators)
    app.wsgi_app = _FromCookie(app.wsgi_app)  # type: ignore[method-assign, assignment]
    return app


def main(settings: Settings) -> None:
    """Serve the dashboard until Ctrl-C."""
    app, host, port = make_app(settings), settings.dashboard_host, settings.dashboard_port
    fitness.check()
    with make_server(host, port, app, server_class=_Server, handler_class=_Quiet) as server:
        click.echo(f"The queues: http://{host}:{port}/login (Ctrl-C ends it)")
        server.serve_forever()


class _Server(ThreadingMixIn, WSGIServer):
    """A server with a thread for each connection, because browsers open connections that they do not use."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 30  # seconds without a byte

    def log_message(self, *args: Any) -> None:
        """Log nothing: the application logs its requests."""


_login = Blueprint("dashboard_login", __name__)


@_login.get("/login")
def ask() -> Response:
    """Return the login form."""
    return Response(_FORM, content_type="text/html; charset=utf-8", headers={"Cache-Control": "no-store"})


@_login.post("/login")
def log_in() -> Any:
    """Store the token in a cookie that browsers do not send for requests of other sites (SameSite=Strict)."""
    response = redirect("/queues/", 303)
    token = request.form.get("token", "").strip()
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.is_secure, path="/queues")
    return response


def _only_administrators() -> Any:
    try:
        if current_actor().role != "admin":
            return Response("Only administrators see the queues.", 403, content_type="text/plain")
    except Unauthenticated:
        return redirect("/login", 303)
    except TaskManagerError as problem:
        return Response(problem.detail, 503, content_type="text/plain")
    return None


class _FromCookie:
    """Middleware that copies the token of the cookie into the Authorization header."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        cookie: SimpleCookie = SimpleCookie()
        try:
            cookie.load(environ.get("HTTP_COOKIE", ""))
        except CookieError:
            cookie.clear()
        if COOKIE in cookie and environ.get("PATH_INFO", "").startswith("/queues"):
            environ["HTTP_AUTHORIZATION"] = f"Bearer {cookie[COOKIE].value}"
        return self._app(environ, start)
