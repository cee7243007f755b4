"""What the conventions add to the OpenAPI document, so that no route repeats them: headers, errors, examples.

`describe_operation` completes the documentation of one view when it is registered; `components` is what it
refers to; `finish` puts an example beside every schema of the finished document.
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
        "description": "The ETag that the change is based on, or `*`. 428 without, 412 when it is not the newest.",
    },
    "If-Match-Optional": {
        "name": "If-Match",
        "schema": {"type": "string", "pattern": rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"},
        "description": "The ETag that the change is based on, where that matters: 412 when it is not the newest.",
    },
    "If-None-Match": {
        "schema": {"type": "string"},
        "description": "ETags that the client has: 304 without a body when one of them is the newest.",
    },
    "Idempotency-Key": {
        "schema": {"type": "string", "pattern": '^(?:[!#-~]{1,255}|"[ !#-~]{1,255}")$'},
        "description": "A new word for each new request, a UUID for instance. For 24 hours the same key with the same"
        " body gives the first answer again instead of doing it twice; with another body it is a 422.",
    },
}
_HEADERS: dict[str, tuple[str, str]] = {  # name → example, description
    "ETag": ('"3"', "Names this state of the resource: for If-Match and If-None-Match."),
    "Location": ("/api/v1/projects/65f1c0ffee0123456789abcd", "Where the new resource is."),
    "Link": ('</api/v1/tasks?cursor=…>; rel="next"', "The next page, when there is one (RFC 8288)."),
    "X-Request-ID": ("9f2c4e6a8b0d4c1e9f2c4e6a8b0d4c1e", "The request's own id, or one made for it."),
    "RateLimit-Policy": ('"default";q=600;w=60', "The limit: so many requests in so many seconds."),
    "RateLimit": ('"default";r=598;t=42', "What is left of it, and after how many seconds it is whole again."),
    "Retry-After": ("3", "After how many seconds to try again."),
    "WWW-Authenticate": ('Bearer realm="taskmanager"', "How to log in (RFC 6750)."),
    "Idempotency-Replayed": ("true", "This is the answer to an earlier request with the same Idempotency-Key."),
    "Deprecation": ("@1767225600", "Since when not to build on this any more (RFC 9745)."),
    "Sunset": ("Fri, 01 Jan 2027 00:00:00 GMT", "From when on this is no longer there (RFC 8594)."),
}
_EVERYWHERE = ("X-Request-ID", "RateLimit-Policy", "RateLimit")
_ALWAYS_THERE = {"X-Request-ID", "ETag", "Location", "Retry-After", "WWW-Authenticate"}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_PROBLEMS: dict[int, tuple[str, str]] = {  # status → an example of `code`, what it means
    400: ("request.malformed", "The request cannot be parsed: its framing, JSON, cursor or Idempotency-Key."),
    401: ("auth.required", "The request has no login, or the proof of it is not good."),
    403: ("permission.denied", "Your role does not allow this."),
    404: ("not_found", "There is no such item, or you may not see it."),
    406: ("request.not_acceptable", "You accept neither JSON nor problem+json."),
    409: ("conflict", "The state of the system does not allow this now."),
    412: ("precondition.failed", "The item has changed since you read it."),
    413: ("http.request_entity_too_large", "The body is too large."),
    414: ("http.uri_too_long", "The address is longer than 8,190 bytes."),
    415: ("request.unsupported_media_type", "The body is in a form that is not read here."),
    416: ("http.requested_range_not_satisfiable", "The content has no such bytes: see Content-Range."),
    422: ("validation.failed", "Well-formed, but not valid: see `errors`."),
    428: ("precondition.required", "If-Match is missing."),
    429: ("rate_limit.exceeded", "Too many requests: wait before the next one."),
    431: ("http.request_header_fields_too_large", "A header is longer than 8,190 bytes, or there are over 100."),
    500: ("internal", "Something went wrong here, or any other error: the request id helps to find it."),
    503: ("service.unavailable", "Something this needs is down: try again shortly."),
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
    """Say in the view's documentation what the conventions add to it."""
    info: Json = view.__dict__.setdefault("_apidoc", {})
    documented = info.get("response", {}).get("responses", {})
    for response in (response for responses in documented.values() for response in responses):
        response.setdefault("headers", {}).update(_references(_answer_headers(response, kind)))
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
        doc["x-scope"] = kind.scope  # what an API token needs; null admits sessions only
    info.setdefault("arguments", {}).setdefault("parameters", []).extend(_sent(kind))


@cache
def sparse(schema: type[Schema]) -> type[Schema]:
    """Return `schema` as it is when `?fields=` asks for a part of it: nothing is sure to be there."""
    declared: dict[str, Any] = schema._declared_fields
    if "items" in declared:
        items = fields.List(fields.Nested(sparse(declared["items"].inner.nested)), required=True)
        return Schema.from_dict({**declared, "items": items}, name=schema.__name__)
    parts = {name: copy(field) for name, field in declared.items()}
    for part in parts.values():
        part.required = False
    return Schema.from_dict(parts, name=f"{schema.__name__}Part")


def components(spec: Any) -> None:
    """Register what `describe_operation` refers to."""
    for name, parameter in _REQUEST_HEADERS.items():
        spec.components.parameter(name, "header", parameter)
    for name, (example, description) in _HEADERS.items():
        header = {"schema": {"type": "string"}, "example": example, "description": description}
        spec.components.header(name, {"required": True, **header} if name in _ALWAYS_THERE else header)
    for status in _PROBLEMS:
        spec.components.response(f"Problem{status}", _problem(status))
    spec.components.response("ProblemDefault", _problem(500))
    unchanged = {"description": "You have the newest already.", "headers": _references(("ETag", *_EVERYWHERE))}
    spec.components.response("NotModified", unchanged)


def describe_field(converter: Any, field: ma.fields.Field, *, ret: Json, **_: Any) -> Json:
    """Return for apispec: what a field of `web.schemas` says of itself, unless its metadata say otherwise."""
    documented = getattr(field, "documented", {})
    return {
        name: value for name, value in documented.items() if name not in ret or name in ("type", "additionalProperties")
    }


def finish(document: Json, names: dict[Any, str]) -> Json:
    """Add what schemas say of themselves, and an example to each request and answer.

    `names` are apispec's: schema → its name in the document. A schema's docstring describes it; a class attribute
    `documented` says what its fields cannot.
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


def _answer_headers(response: Json, kind: Conventions) -> Iterable[str]:
    schema = response.get("schema")
    versioned = schema is not None and {"revision", "items"} & schema._declared_fields.keys()
    yield from ("ETag",) if versioned else ()
    yield from ("Link",) if schema is not None and "items" in schema._declared_fields else ()
    yield from ("Location",) if response["description"] == HTTPStatus.CREATED.phrase else ()
    yield from ("Idempotency-Replayed",) if kind.idempotent else ()
    yield from _EVERYWHERE


def _sent(kind: Conventions) -> Iterable[str]:
    yield from ("If-None-Match",) if kind.method == "GET" else ()
    yield from ("If-Match",) if kind.conditional else ()
    yield from ("If-Match-Optional",) if kind.toggle else ()
    yield from ("Idempotency-Key",) if kind.idempotent else ()


def _problems(rule: str, info: Json, kind: Conventions) -> list[int]:
    """Return the errors that an operation can answer with."""
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
    """Return a value that `schema` allows, made of the examples in it."""
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
