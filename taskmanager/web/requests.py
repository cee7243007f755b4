"""The frame of every request: an id, a log line, and safe default headers of its response."""

import random
import re
import time
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Request, Response, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from werkzeug.routing import Rule

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Malformed
from taskmanager.core.events.log import correlation
from taskmanager.core.telemetry import spans
from taskmanager.core.telemetry.timings import SPENT
from taskmanager.web.authentication.actors import known_actor
from taskmanager.web.authentication.context import current_request, given_header, request_globals
from taskmanager.web.telemetry import request_metrics

log = structlog.get_logger("taskmanager.requests")

_PROBES = ("/health/live", "/health/ready", "/metrics")
_VARY = ("Accept", "Accept-Encoding", "Authorization")
_ALWAYS = {"X-Content-Type-Options": "nosniff", "Vary": ", ".join(_VARY)}
# Headers that a response has unless it says otherwise, by whether it is no error: each in small letters, and as sent.
_DEFAULTS = {
    is_good: [(name.lower(), name, value) for name, value in (_ALWAYS | {"Cache-Control": caching}).items()]
    for is_good, caching in ((True, "private, no-cache"), (False, "no-store"))
}
_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MUTATION = "HTTP_X_MUTATION_ID"
_MUTATION_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_MAX_MUTATION = 64
_FIRST_FAULT = 500
_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class LazyRule(Rule):
    """A rule whose code that builds URLs is compiled when it is used first: that is half of making an application."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        compile_it, made = super()._compile_builder, list[Callable[..., tuple[str, str]]]()

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not made:
                made.append(compile_it(append_unknown))
            return made[0](rule, **values)

        return build


class Application(Flask):
    """Flask, which looks once and not at each call whether a function is `async`: twelve times a request."""

    url_rule_class = LazyRule

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._synchronous: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.session_interface = LazySessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        found = self._synchronous.get(func)
        if found is None:
            found = self._synchronous[func] = super().ensure_sync(func)
        return found


class LazySessions(SecureCookieSessionInterface):
    """Flask's sessions, which only the login by a provider has: other requests do no work for them."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session.accessed:
            super().save_session(app, session, response)


def init_app(app: Flask) -> None:
    """Register the first `before_request` and the last `after_request`."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_close)


def request_id() -> str:
    """Return the id of the current request; made at the first use, so that even a routing error has one."""
    found: str | None = vars(request_globals()).get("request_id")
    if found is None:
        given = given_header("HTTP_X_REQUEST_ID") or ""
        found = g.request_id = given if _SANE_ID.fullmatch(given) else f"{random.getrandbits(128):032x}"  # no secret
    return found


def check_mutation_id() -> None:
    """Raise Malformed unless `X-Mutation-ID`, by which a client recognises its own change in `GET /sync`, is sane."""
    given = given_header(_MUTATION)
    if given is not None and not _MUTATION_ID.fullmatch(given):
        raise Malformed("X-Mutation-ID has 1 to 64 letters, digits and . _ : -.", code="header.mutation_id")


def keep_body(body: Any) -> None:
    """Keep the parsed body of the current request, for `body_fields`."""
    request_globals().body = body if isinstance(body, dict) else {}


def body_fields() -> dict[str, Any]:
    """Return the unvalidated fields of the JSON body, for the keys of rate limits; {} before the body is parsed."""
    return g.get("body", {})


def _begin() -> None:
    request_globals().started = time.perf_counter()
    SPENT.begin()
    present = current_request()
    known = {"request_id": request_id(), "address": present.remote_addr or ""}
    if mutation := present.environ.get(_MUTATION):
        known["mutation_id"] = mutation[:_MAX_MUTATION]
    caller = present.environ.get("HTTP_TRACEPARENT", "")
    if _TRACEPARENT.fullmatch(caller):
        known[spans.TRACEPARENT] = caller
    correlation.set(_traced(known))


def _traced(known: dict[str, str]) -> dict[str, str]:
    """Begin the span of the request when traces are on; return the correlation of what the request causes."""
    if spans.active.tracer is None or _is_probe():  # other processes may have one: callers do not decide there, too
        return spans.unsampled(known)
    method, route = request_metrics.known_method(request.method), _route() or request_metrics.UNMATCHED
    g.span = opened = spans.active.tracer.begin_trace(f"{method} {route}", "server", known.get(spans.TRACEPARENT, ""))
    if opened is None:
        return spans.unsampled(known)
    opened.set(http__request__method=method, http__route=route, taskmanager__request_id=known["request_id"])
    return spans.carried(opened, known)


def _route() -> str | None:
    rule = current_request().url_rule
    return rule.rule if rule else None


def _is_probe() -> bool:
    return _route() in _PROBES and not settings.current().log_probes


def _close(error: BaseException | None) -> None:
    """End the span of the request."""
    per_request = vars(request_globals())
    if opened := per_request.get("span"):
        per_request["span"] = None
        opened.end(type(error).__name__ if error else "", failed=error is not None or per_request.get("failed", False))


def _finish(response: Response) -> Response:
    headers, per_request, status = response.headers, vars(request_globals()), response.status_code
    given = {name.lower(): value for name, value in headers}
    if "x-request-id" not in given:
        headers.add("X-Request-ID", request_id())
    for lowered, name, value in _DEFAULTS[status < 400]:
        if lowered not in given:
            headers.add(name, value)
    if (vary := given.get("vary")) == "Accept-Encoding":  # by Flask-Compress
        headers["Vary"] = ", ".join(_VARY)
    elif vary is not None:
        response.vary.update(_VARY)
    _log(response, current_request(), per_request)
    if opened := per_request.get("span"):
        opened.set(http__response__status_code=status)
        per_request["failed"] = status >= _FIRST_FAULT
    return response


def _log(response: Response, present: Request, per_request: dict[str, Any]) -> None:
    actor, route = known_actor(), _route()
    now = time.perf_counter()
    seconds = now - per_request.get("started", now)
    method = request_metrics.known_method(present.method)
    size = response.content_length
    request_metrics.count(method, route, response.status_code, seconds, size or 0)
    if response.status_code < 400 and _is_probe():
        return
    slow = seconds * 1000 >= settings.current().slow_request_ms
    (log.warning if slow else log.info)(
        "slow request" if slow else "request",
        method=method,
        route=route,
        status=response.status_code,
        duration_ms=round(seconds * 1000, 2),
        bytes=size,
        request_bytes=present.content_length or None if "CONTENT_LENGTH" in present.environ else None,
        user_id=actor and actor.identity,
        **SPENT.fields(),
    )
