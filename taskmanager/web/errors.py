"""The mapping from exceptions to responses: RFC 9457 problem+json for every error."""

import math
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from flask_limiter.errors import RateLimitExceeded
from mongoengine.errors import OperationError
from pymongo.errors import DuplicateKeyError, PyMongoError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from taskmanager.core import errors, registry
from taskmanager.core.error_codes import ERROR_CODES
from taskmanager.core.storage.breaker import unavailable
from taskmanager.core.storage.database import breaker
from taskmanager.core.telemetry import instruments
from taskmanager.web.limits import seconds_to_wait
from taskmanager.web.requests import request_id
from taskmanager.web.telemetry.request_metrics import count_refusal
from taskmanager.web.urls import absolute, mounted

log = structlog.get_logger("taskmanager.errors")

# The `code` of marshmallow's own messages.
_CODES = {
    "Missing data for required field.": "required",
    "Unknown field.": "unknown_field",
    "Field may not be null.": "null",
}


# RFC 6750, 3.1: the error of a token that was sent; no error when none was sent.
_INVALID_TOKEN = 'Bearer realm="taskmanager", error="invalid_token"'  # noqa: S105 no secret
_CHALLENGES = {"auth.invalid_token": _INVALID_TOKEN, "auth.session_ended": _INVALID_TOKEN}

_MAX_ERRORS = 100  # a body of a megabyte can have fifty thousand, and the response would be larger than the body


class InvalidRequest(errors.TaskManagerError):
    """A schema refused a body or a query; `messages` are marshmallow's."""

    def __init__(self, messages: Any) -> None:
        listed = list(islice(_flatten(messages), _MAX_ERRORS))
        super().__init__(errors.Invalid.detail, code=errors.Invalid.code, errors=listed)


class UnsupportedMediaType(errors.TaskManagerError):
    """The service does not support the media type of the body."""

    code = "request.unsupported_media_type"


class NotAcceptable(errors.TaskManagerError):
    """The client accepts no media type that the service produces."""

    code = "request.not_acceptable"
    detail = "Responses are application/json; errors are application/problem+json."


class KeyReused(errors.TaskManagerError):
    """An Idempotency-Key was used again with another request."""

    code = "idempotency.key_reused"
    detail = "This Idempotency-Key was used with another request: make a new key for a new request."


STATUS: Mapping[type[errors.TaskManagerError], int] = {
    errors.Malformed: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    NotAcceptable: 406,
    errors.Conflict: 409,
    errors.Expired: 410,
    errors.PreconditionFailed: 412,
    errors.TooLarge: 413,
    UnsupportedMediaType: 415,
    errors.Misdirected: 421,
    errors.Invalid: 422,
    InvalidRequest: 422,
    KeyReused: 422,
    errors.PreconditionRequired: 428,
    errors.TooMany: 429,
    errors.Unavailable: 503,
}


def init_app(app: Flask) -> None:
    """Register the handlers."""
    app.register_error_handler(errors.TaskManagerError, _domain_error)
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(RateLimitExceeded, _limited)
    app.register_error_handler(DuplicateKeyError, lambda error: problem(409, code="conflict"))
    app.register_error_handler(PyMongoError, _database_error)
    app.register_error_handler(OperationError, _mongoengine_error)
    app.register_error_handler(Exception, _crash)


def problem(status: int, *, code: str | None = None, detail: str | None = None, **extra: Any) -> Response:
    """Return the response of an error: problem+json (RFC 9457), with a challenge for 401 (RFC 6750, 3)."""
    body = problem_body(status, code=code, detail=detail, **extra)
    instruments.PROBLEMS.labels(body["code"]).inc()
    response = Response(orjson.dumps(body, default=str), status, content_type="application/problem+json")
    if status == 401:
        response.headers["WWW-Authenticate"] = _CHALLENGES.get(code or "", 'Bearer realm="taskmanager"')
    return response


def problem_body(status: int, *, code: str | None = None, detail: str | None = None, **extra: Any) -> dict[str, Any]:
    """Return the members of a problem (RFC 9457, 3.1) about this request, or about a part of it."""
    phrase = HTTPStatus(status).phrase
    code = code or _http_codes().get(status, f"http.{HTTPStatus(status).name.lower()}")
    known = ERROR_CODES.get(code)
    return {
        "type": absolute(f"/docs/errors/{code}") if known else "about:blank",
        "title": known.title if known else phrase,
        "status": status,
        "code": code,
        "detail": detail or HTTPStatus(status).description or phrase,
        "instance": (request.root_path + request.path).encode("utf-8", "replace").decode(),
        "request_id": request_id(),
        **extra,
    }


@registry.derived
def _http_codes() -> dict[int, str]:
    """Return the codes of errors that have nothing but a status: {status: code}."""
    return {code.status: code.name for code in ERROR_CODES.values() if code.name.startswith("http.")}


def status_of(error: errors.TaskManagerError) -> int:
    """Return the HTTP status of an error; 500 for one that is not in STATUS."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)


def _domain_error(error: errors.TaskManagerError) -> Response:
    status = status_of(error)
    if status == 500:
        return _crash(error)
    response = problem(status, code=error.code, detail=error.detail, **error.extra)
    if isinstance(error, errors.ScopeMissing):
        response.headers["WWW-Authenticate"] = 'Bearer realm="taskmanager", error="insufficient_scope"'
    if seconds := getattr(error, "retry_after", None):
        response.headers["Retry-After"] = str(seconds)
    return response


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    if error.response is not None and status < 400:  # such as a redirect
        return error.response  # type: ignore[return-value]
    response = problem(status, detail=_detail(error) if status < 500 else None)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _detail(error: HTTPException) -> str | None:
    """Return what happened, with the next step where Werkzeug's own words have none."""
    if isinstance(error, MethodNotAllowed) and error.valid_methods:
        return f"This path has {', '.join(sorted({*error.valid_methods} - {'OPTIONS'}))}, not {request.method}."
    if isinstance(error, NotFound) and error.description == NotFound.description:
        return (
            f"There is no such path: {mounted('/docs')} lists those of the API, which begin with {mounted('/api/v1')}."
        )
    return error.description


def _limited(error: RateLimitExceeded) -> Response:
    count_refusal(error)
    response = problem(429, code="rate_limit.exceeded", detail="Too many requests: wait before the next one.")
    response.headers["Retry-After"] = str(math.ceil(seconds_to_wait()))
    return response


def _database_error(error: PyMongoError) -> Response:
    breaker.trip(error)
    log.error("database", error=type(error).__name__, request_id=request_id())
    return _domain_error(unavailable())


def _mongoengine_error(error: OperationError) -> Response:
    """Return the response of the driver's error that MongoEngine has wrapped, if there is one."""
    cause = error.__cause__ or error.__context__
    return _database_error(cause) if isinstance(cause, PyMongoError) else _crash(error)


def _crash(error: Exception) -> Response:
    log.exception("crash", exc_info=error, request_id=request_id())
    return problem(500, code="internal", detail="An unexpected error occurred. Report the request id with it.")


def _flatten(messages: Any, path: str = "") -> Iterator[dict[str, str]]:
    """Yield {location, message, code} for each of marshmallow's nested messages."""
    if isinstance(messages, dict):
        for name, inner in messages.items():
            step = {"json": "body", "_schema": ""}.get(name, str(name))
            yield from _flatten(inner, ".".join(filter(None, (path, step))))
        return
    for message in messages if isinstance(messages, list) else [messages]:
        yield {"location": path, "message": str(message), "code": _CODES.get(str(message), "invalid")}
