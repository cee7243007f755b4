"""The parts of the OpenAPI document that all routes share: headers, errors, examples.

`describe_operation` completes the documentation of one view when it is registered; `components` registers what it
refers to; `finish` adds an example to every schema of the finished document.
"""

from collections.abc import Iterable, Iterator
from copy import copy
from functools import cache
from http import HTTPStatus
from typing import Any

import marshmallow as ma
from marshmallow import fields

from taskmanager.web.schemas import Problem, Schema

Json = dict[str, Any]

WRITES = ("PATCH", "PUT", "DELETE")

_TAG = r'(?:W/)?"[!#-~]*"'
_REQUEST_HEADERS: dict[str, Json] = {
    "If-Match": {
        "required": True,
        "schema": {"type": "string", "pattern": rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"},
        "example": "*",
        "description": "The ETag that the change is based on, or `*`. 428 without it, 412 when it is not the current"
        " one.",
    },
    "If-Match-Optional": {
        "name": "If-Match",
        "schema": {"type": "string", "pattern": rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"},
        "description": "The ETag that the change is based on; optional. 412 when it is not the current one.",
    },
    "If-None-Match": {
        "schema": {"type": "string"},
        "description": "ETags that the client has: 304 without a body when one of them is the current one.",
    },
    "Idempotency-Key": {
        "schema": {"type": "string", "pattern": '^(?:[!#-~]{1,255}|"[ !#-~]{1,255}")$'},
        "description": "A new value for each new request, such as a UUID. For 24 hours the same key with the same"
        " body returns the first response again and has no second effect; with another body it is a 422.",
    },
    "X-Mutation-ID": {
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
        "description": "A name for this change: `GET /sync` returns it with the changed objects, to this account only.",
    },
}
_HEADERS: dict[str, tuple[str, str]] = {  # name → example, description
    "ETag": ('"3"', "Identifies this state of the resource: for If-Match and If-None-Match."),
    "Location": ("/api/v1/projects/65f1c0ffee0123456789abcd", "The path of the new resource."),
    "Link": ('</api/v1/tasks?cursor=…>; rel="next"', "The next page, when there is one (RFC 8288)."),
    "X-Request-ID": ("9f2c4e6a8b0d4c1e9f2c4e6a8b0d4c1e", "The id of the request, sent by the client or generated."),
    "RateLimit-Policy": ('"default";q=600;w=60', "The limit: `q` requests in `w` seconds."),
    "RateLimit": ('"default";r=598;t=42', "The remaining requests, and the seconds until the limit is reset."),
    "Retry-After": ("3", "The seconds to wait before the next attempt."),
    "WWW-Authenticate": ('Bearer realm="taskmanager"', "How to log in (RFC 6750)."),
    "Idempotency-Replayed": ("true", "This is the response to an earlier request with the same Idempotency-Key."),
    "Deprecation": ("@1767225600", "The date since which this is deprecated (RFC 9745)."),
    "Sunset": ("Fri, 01 Jan 2027 00:00:00 GMT", "The date from which this is removed (RFC 8594)."),
}
_EVERYWHERE = ("X-Request-ID", "RateLimit-Policy", "RateLimit")
_ALWAYS_THERE = {"X-Request-ID", "ETag", "Location", "Retry-After", "WWW-Authenticate"}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_PROBLEMS: dict[int, tuple[str, str]] = {  # status → an example of `code`, what it means
    400: ("request.malformed", "The request cannot be parsed: its framing, JSON, cursor or Idempotency-Key."),
    401: ("auth.required", "The request has no credentials, or they are not valid."),
    403: ("permission.denied", "Your role does not allow this."),
    404: ("not_found", "There is no such item, or you may not see it."),
    406: ("request.not_acceptable", "The client accepts neither JSON nor problem+json."),
    409: ("conflict", "The state of the system does not allow this now."),
    410: ("expired", "What the request names is not kept any more."),
    412: ("precondition.failed", "The item has changed since you read it."),
    413: ("http.request_entity_too_large", "The body is too large."),
    414: ("http.uri_too_long", "The address is longer than 8,190 bytes."),
    415: ("request.unsupported_media_type", "The media type of the body is not supported."),
    416: ("http.requested_range_not_satisfiable", "The content has no such bytes: see Content-Range."),
    422: ("validation.failed", "Well-formed, but not valid: see `errors`."),
    428: ("precondition.required", "If-Match is missing."),
    429: ("rate_limit.exceeded", "Too many requests: wait before the next one."),
    431: ("http.request_header_fields_too_large", "A header is longer than 8,190 bytes, or there are over 100."),
    500: ("internal", "An unexpected error, or one that is not listed: report the request id with it."),
    503: ("service.unavailable", "A server that this needs is unavailable: try again shortly."),
}
_MISSING = {"location": "body.title", "message": "Missing data for required field.", "code": "required"}


class Conventions:
    """How a route uses the conventions; the arguments of `Blueprint.route`."""

    def __init__(
        self, method: str, *, public: bool, idempotent: bool, conditional: bool, extra: Iterable[int], scope: str | None
    ) -> None:
        self.public = public
        self.idempotent = idempotent and method == "POST"
        self.conditional = conditional and method in WRITES
        self.toggle = not conditional and method in WRITES
        self.method, self.extra, self.scope = method, extra, scope


def describe_operation(view: Any, rule: str, kind: Conventions) -> None:
    """Add the headers, parameters and errors of the conventions to the documentation of a view."""
    info: Json = view.__dict__.setdefault("_apidoc", {})
    documented = info.get("response", {}).get("responses", {})
    for response in (response for responses in documented.values() for response in responses):
        response.setdefault("headers", {}).update(_references(_response_headers(response, kind)))
        if _takes_fields(info):
            whole: type[Schema] = type(response["schema"])
            response["schema"] = sparse(whole)
    doc: Json = info.setdefault("manual_doc", {})
    doc["operationId"] = view.__name__
    doc["responses"] = {status: f"Problem{status}" for status in _problems(rule, info, kind)}
    doc["responses"]["default"] = "ProblemDefault"
    if kind.method == "GET":
        doc["responses"][304] = "NotModified"
    if kind.public:
        doc["security"] = []
    else:
        doc["x-scope"] = kind.scope  # the scope that an API token needs; null admits sessions only
    info.setdefault("arguments", {}).setdefault("parameters", []).extend(_request_headers(kind))


@cache
def sparse(schema: type[Schema]) -> type[Schema]:
    """Return `schema` for responses to `?fields=`, in which no field is required."""
    declared: dict[str, Any] = schema._declared_fields
    if "items" in declared:
        items = fields.List(fields.Nested(sparse(declared["items"].inner.nested)), required=True)
        return Schema.from_dict({**declared, "items": items}, name=schema.__name__)
    parts = {name: copy(field) for name, field in declared.items()}
    for part in parts.values():
        part.required = False
    return Schema.from_dict(parts, name=f"{schema.__name__}Part")


def components(spec: Any) -> None:
    """Register the components that `describe_operation` refers to."""
    for name, parameter in _REQUEST_HEADERS.items():
        spec.components.parameter(name, "header", parameter)
    for name, (example, description) in _HEADERS.items():
        header = {"schema": {"type": "string"}, "example": example, "description": description}
        spec.components.header(name, {"required": True, **header} if name in _ALWAYS_THERE else header)
    for status in _PROBLEMS:
        spec.components.response(f"Problem{status}", _problem(status))
    spec.components.response("ProblemDefault", _problem(500))
    headers = _references(("ETag", *_EVERYWHERE))
    not_modified = {"description": "The client has the newest representation.", "headers": headers}
    spec.components.response("NotModified", not_modified)


def describe_field(converter: Any, field: ma.fields.Field, *, ret: Json, **_: Any) -> Json:
    """Return, for apispec, the `documented` properties of a field; its metadata take precedence."""
    documented = getattr(field, "documented", {})
    return {
        name: value for name, value in documented.items() if name not in ret or name in ("type", "additionalProperties")
    }


def finish(document: Json, names: dict[Any, str]) -> Json:
    """Add the descriptions of schemas, and an example to each request and response.

    `names` is apispec's mapping of schemas to their names in the document. The docstring of a schema is its
    description; its class attribute `documented` has properties that its fields cannot express.
    """
    schemas = document["components"]["schemas"]
    for (kind, *_), name in names.items():
        described = {"description": kind.__doc__} if kind.__doc__ else {}
        schemas[name] = described | schemas[name] | getattr(kind, "documented", {})
    for operation in operations(document):
        operation["responses"] = dict(sorted(operation["responses"].items(), key=lambda item: str(item[0])))
        for holder in (operation.get("requestBody", {}), *operation["responses"].values()):
            for media in holder.get("content", {}).values():
                media.setdefault("example", _example(media["schema"], schemas))
    return document


def operations(document: Json) -> Iterator[Json]:
    """Yield the operations of a document."""
    for path in document["paths"].values():
        yield from (operation for method, operation in path.items() if method != "parameters")


def _response_headers(response: Json, kind: Conventions) -> Iterable[str]:
    schema = response.get("schema")
    versioned = schema is not None and {"revision", "items"} & schema._declared_fields.keys()
    yield from ("ETag",) if versioned else ()
    yield from ("Link",) if schema is not None and "items" in schema._declared_fields else ()
    yield from ("Location",) if response["description"] == HTTPStatus.CREATED.phrase else ()
    yield from ("Idempotency-Replayed",) if kind.idempotent else ()
    yield from _EVERYWHERE


def _request_headers(kind: Conventions) -> Iterable[str]:
    yield from ("If-None-Match",) if kind.method == "GET" else ()
    yield from ("If-Match",) if kind.conditional else ()
    yield from ("If-Match-Optional",) if kind.toggle else ()
    yield from ("Idempotency-Key",) if kind.idempotent else ()
    yield from ("X-Mutation-ID",) if kind.method != "GET" and not kind.public else ()


def _problems(rule: str, info: Json, kind: Conventions) -> list[int]:
    """Return the statuses of the errors that an operation can return."""
    locations = {part["in"] for part in info.get("arguments", {}).get("parameters", [])}
    writes = kind.method != "GET"
    found = {400, 406, 422, 429, 431, 503, *kind.extra}
    found |= {413, 415} if "json" in locations else set()
    found |= {414} if "query" in locations else set()
    found |= {409} if writes and (kind.idempotent or not kind.public) else set()
    found |= {412}  # any method can have a precondition (RFC 9110, 13.2.1)
    found |= {428} if kind.conditional else set()
    found |= {404} if "<" in rule else set()
    found |= set() if kind.public else {401, 403}
    return sorted(found)


def _takes_fields(info: Json) -> bool:
    parts = info.get("arguments", {}).get("parameters", [])
    return any(part["in"] == "query" and "fields" in part["schema"]._declared_fields for part in parts)


def _references(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _problem(status: int) -> Json:
    code, meaning = _PROBLEMS[status]
    example: Json = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": meaning,
        "instance": "/api/v1/tasks",
        "request_id": _HEADERS["X-Request-ID"][0],
        **({"errors": [_MISSING]} if status == 422 else {}),
    }
    return {
        "description": meaning,
        "headers": _references((*_PROBLEM_HEADERS.get(status, ()), *_EVERYWHERE)),
        "content": {"application/problem+json": {"schema": Problem, "example": example}},
    }


def _example(schema: Json, schemas: Json) -> Any:
    """Return a value that `schema` allows, built from the examples in it."""
    if "$ref" in schema:
        return _example(schemas[schema["$ref"].rsplit("/", 1)[1]], schemas)
    for name in ("example", "default", "const"):
        if name in schema:
            return schema[name]
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], schemas)
    kinds = schema.get("type")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if "properties" in schema:
        return {name: _example(part, schemas) for name, part in schema["properties"].items()}
    if kind == "array":
        return [_example(schema["items"], schemas)]
    return {"integer": 1, "number": 1.0, "boolean": True, "string": "text"}.get(str(kind))
