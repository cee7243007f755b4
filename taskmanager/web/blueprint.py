"""The Blueprint of all routes: closed by default, strict, and documented without being asked.

`route` adds around each view, in this order: the database must be there, the client must accept JSON, the
caller must be logged in (unless `public=True`), query parameters that no schema names are refused, and a POST
runs once per Idempotency-Key (unless `idempotent=False`, for answers with secrets in them).
"""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import wraps
from typing import Any

import flask_smorest
from bson import ObjectId
from flask import Response, request
from werkzeug.routing import BaseConverter

from taskmanager.core.database import breaker
from taskmanager.web.auth import current_actor
from taskmanager.web.errors import InvalidRequest, NotAcceptable
from taskmanager.web.idempotency import once
from taskmanager.web.parser import StrictParser, query_parameters

View = Callable[..., Response]

_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": True,
    "schema": {"type": "string"},
    "example": "*",
    "description": "The ETag that the change is based on, or `*`. 428 without, 412 when it is not the newest.",
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "schema": {"type": "string"},
    "description": "An ETag that the client has: 304 without a body when it is the newest.",
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!#-~]+$"},
    "description": "The same key and body give the first answer again, for 24 hours.",
}


class ObjectIdConverter(BaseConverter):
    """An id in a path; what is no id is a 404."""

    regex = r"[0-9a-f]{24}"

    def to_python(self, value: str) -> ObjectId:
        return ObjectId(value)


class Blueprint(flask_smorest.Blueprint):
    """See the module."""

    ARGUMENTS_PARSER = StrictParser()

    def route(  # type: ignore[override]
        self,
        rule: str,
        *,
        public: bool = False,
        idempotent: bool = True,
        conditional: bool = True,
        deprecated: "Deprecation | None" = None,
        **options: Any,
    ) -> Callable[[View], View]:
        """Register a view. `conditional=False`: its PATCH, PUT or DELETE needs no If-Match."""
        method = options.get("methods", ["GET"])[0]
        register = super().route(rule, **options)

        def decorate(view: View) -> View:
            wrapped = _once(view) if method == "POST" and idempotent else view
            guarded = _guard(wrapped, public=public, deprecated=deprecated)
            _document(guarded, method, public, idempotent, conditional)
            register(guarded)
            return view

        return decorate


class Deprecation:
    """That a route goes away: RFC 9745 `Deprecation`, RFC 8594 `Sunset`."""

    def __init__(self, since: datetime, sunset: datetime | None = None, link: str | None = None) -> None:
        self.headers = {"Deprecation": f"@{int(since.timestamp())}"}
        if sunset:
            self.headers["Sunset"] = format_datetime(sunset.astimezone(UTC), usegmt=True)
        if link:
            self.headers["Link"] = f'<{link}>; rel="deprecation"'


def _guard(view: View, *, public: bool, deprecated: Deprecation | None) -> View:
    takes_query = any(part["in"] == "query" for part in _parameters(view))

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Response:
        breaker.check()
        _acceptable()
        if not public:
            current_actor()
        if not takes_query and request.query_string:
            _refuse(query_parameters(request))
        response = view(*args, **kwargs)
        if deprecated:
            response.headers.update(deprecated.headers)
        return response

    guarded.is_public = public  # type: ignore[attr-defined]
    return guarded


def _once(view: View) -> View:
    @wraps(view)
    def run(*args: Any, **kwargs: Any) -> Response:
        return once(lambda: view(*args, **kwargs))

    return run


def _acceptable() -> None:
    accepted = request.accept_mimetypes
    if accepted and not accepted.best_match(("application/json", "application/problem+json")):
        raise NotAcceptable


def _refuse(parameters: dict[str, str]) -> None:
    if parameters:
        raise InvalidRequest({"query": {name: ["Unknown field."] for name in parameters}})


def _parameters(view: View) -> list[dict[str, Any]]:
    return getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])


def _document(view: View, method: str, public: bool, idempotent: bool, conditional: bool) -> None:
    """Say in the OpenAPI document what the conventions add to this operation."""
    doc: dict[str, Any] = view.__dict__.setdefault("_apidoc", {}).setdefault("manual_doc", {})
    headers = doc.setdefault("parameters", [])
    codes = {"406", "422", "429", "503"}
    if public:
        doc["security"] = []
    else:
        codes |= {"401", "403", "404"}
    if method == "GET":
        headers.append(_IF_NONE_MATCH)
        doc.setdefault("responses", {})["304"] = {"description": "The client has the newest already"}
    if method == "POST":
        codes |= {"400", "409", "413", "415"}
        if idempotent:
            headers.append(_IDEMPOTENCY_KEY)
    if method in ("PATCH", "PUT", "DELETE"):
        codes |= {"400", "409", "413", "415"} if method != "DELETE" else {"409"}
        if conditional:
            headers.append(_IF_MATCH)
            codes |= {"412", "428"}
    for code in codes:
        doc.setdefault("responses", {})[code] = {"$ref": f"#/components/responses/Problem{code}"}
