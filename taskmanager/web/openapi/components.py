"""The components of the OpenAPI document that all routes share: headers, responses of errors, and counts."""

from collections.abc import Iterable
from typing import Any

import marshmallow as ma

from taskmanager.core.error_codes import ERROR_CODES, ErrorCode
from taskmanager.web.openapi.problems import Problem

Json = dict[str, Any]

SERVICE = "https://tasks.example.com"  # the public URL in examples
_TAG = r'(?:W/)?"[!#-~]*"'
_REQUEST_HEADERS: dict[str, Json] = {
    "If-Match": {
        "required": True,
        "schema": {"type": "string", "pattern": rf"^(?:\*|{_TAG}(?: *, *{_TAG})*)$"},
        "example": '"1"',
        "description": "The ETag of the item that the change is based on; `*` changes whatever is there. 428 without"
        " it, 412 when it is not the current one.",
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
    "X-Causal-Token": {
        "schema": {"type": "string", "maxLength": 100},
        "description": "The latest `X-Causal-Token` that a response had: the list contains at least what that response"
        " has written or shown, and a secondary of the database may answer. 400 when it is not one of this service.",
    },
    "X-Mutation-ID": {
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,64}$"},
        "description": "A name for this change: `GET /sync` returns it with the changed objects, to this account only.",
    },
}
_HEADERS: dict[str, tuple[str, str]] = {  # name → example, description
    "ETag": ('"3"', "Identifies this state of the resource: for If-Match and If-None-Match."),
    "Location": ("/api/v1/projects/65f1c0ffee0123456789abcd", "The path of the new resource."),
    "Link": (
        '<https://tasks.example.com/api/v1/tasks?cursor=…>; rel="next"',
        "The next page, when there is one (RFC 8288).",
    ),
    "X-Request-ID": ("9f2c4e6a8b0d4c1e9f2c4e6a8b0d4c1e", "The id of the request, sent by the client or generated."),
    "RateLimit-Policy": ('"default";q=600;w=60', "The limit: `q` requests in `w` seconds."),
    "RateLimit": ('"default";r=598;t=42', "The remaining requests, and the seconds until the limit is reset."),
    "Retry-After": ("3", "The seconds to wait before the next attempt."),
    "WWW-Authenticate": ('Bearer realm="taskmanager"', "How to log in (RFC 6750)."),
    "X-Causal-Token": (
        "anK2kAAAAAE.eBXbE-5cFkFGQb1Zg7xnWw0cyYE",
        "Where secondaries of the database may answer: send it with the next list, to read what this has written.",
    ),
    "Idempotency-Replayed": ("true", "This is the response to an earlier request with the same Idempotency-Key."),
    "Deprecation": ("@1767225600", "The date since which this is deprecated (RFC 9745)."),
    "Sunset": ("Fri, 01 Jan 2027 00:00:00 GMT", "The date from which this is removed (RFC 8594)."),
}
EVERYWHERE = ("X-Request-ID", "RateLimit-Policy", "RateLimit")
_ALWAYS_THERE = {"X-Request-ID", "ETag", "Location", "Retry-After", "WWW-Authenticate"}
_PROBLEM_HEADERS = {401: ("WWW-Authenticate",), 429: ("Retry-After",), 503: ("Retry-After",)}
_PROBLEMS: dict[int, str] = {  # status → what it means
    400: "The request cannot be parsed: its framing, JSON, cursor or Idempotency-Key.",
    401: "The request has no credentials, or they are not valid.",
    403: "Your role or your token does not allow this.",
    404: "There is no such item, or you may not see it.",
    406: "The client accepts neither JSON nor problem+json.",
    409: "The state of the system does not allow this now.",
    410: "What the request names is not kept any more.",
    412: "The item has changed since you read it.",
    413: "The body is too large.",
    414: "The address is longer than 8,190 bytes.",
    415: "The media type of the body is not supported.",
    416: "The content has no such bytes: see Content-Range.",
    422: "Well-formed, but not valid: see `errors`.",
    428: "If-Match is missing.",
    429: "Too many requests: wait before the next one.",
    431: "A header is longer than 8,190 bytes, or there are over 100.",
    500: "An unexpected error: report the request id with it.",
    503: "A server that this needs is unavailable: try again shortly.",
}


def add_components(spec: Any) -> None:
    """Register the components that the documentation of routes refers to, and an example of each error."""
    for name, parameter in _REQUEST_HEADERS.items():
        spec.components.parameter(name, "header", parameter)
    for name, (example, description) in _HEADERS.items():
        header = {"schema": {"type": "string"}, "example": example, "description": description}
        spec.components.header(name, {"required": True, **header} if name in _ALWAYS_THERE else header)
    for code in ERROR_CODES.values():
        spec.components.example(code.name, {"summary": code.title, "value": example_of(code)})
    for status in _PROBLEMS:
        spec.components.response(f"Problem{status}", problem_response(status, conventional(status)))
    unexpected = problem_response(500, conventional(500))
    spec.components.response("ProblemDefault", unexpected | {"description": "Any other error, of the same form."})
    headers = references(("ETag", *EVERYWHERE))
    not_modified = {"description": "The client has the newest representation.", "headers": headers}
    spec.components.response("NotModified", not_modified)


def conventional(status: int) -> list[ErrorCode]:
    """Return the codes of a status that the conventions of all routes return."""
    return [code for code in ERROR_CODES.values() if code.is_conventional and status in code.statuses]


def problem_response(status: int, codes: Iterable[ErrorCode]) -> Json:
    """Return the response of an error, whose description and examples name its codes."""
    named = list(codes)
    whole, parts = [code for code in named if not _is_part(code, status)], [c for c in named if _is_part(c, status)]
    lines = [f"* `{code.name}`: {code.title}" for code in whole]
    lines += ["", "In `errors`:", *(f"* `{code.name}`: {code.title}" for code in parts)] if parts else []
    examples = {code.name: {"$ref": f"#/components/examples/{code.name}"} for code in named}
    media = {"schema": Problem} | ({"examples": examples} if examples else {})
    return {
        "description": "\n".join([_PROBLEMS[status], "", *lines] if lines else [_PROBLEMS[status]]),
        "headers": references((*_PROBLEM_HEADERS.get(status, ()), *EVERYWHERE)),
        "content": {"application/problem+json": media},
    }


def example_of(code: ErrorCode) -> Json:
    """Return an example of the error: its body (RFC 9457)."""
    shown = ERROR_CODES["validation.failed"] if code.item else code
    item = {"location": "body.title", "message": f"{code.title}.", "code": code.name}
    if code.name == "validation.failed":
        item = {"location": "body.title", "message": "Missing data for required field.", "code": "required"}
    return {
        "type": f"{SERVICE}/docs/errors/{shown.name}",
        "title": shown.title,
        "status": code.status,
        "code": shown.name,
        "detail": f"{shown.title}.",
        "instance": "/api/v1/tasks/65f1c0ffee0123456789ab01",
        "request_id": _HEADERS["X-Request-ID"][0],
        **({"errors": [item]} if code.item or code.name == "validation.failed" else {}),
    }


def describe_field(converter: Any, field: ma.fields.Field, *, ret: Json, **_: Any) -> Json:
    """Return, for apispec, the `documented` properties of a field; its metadata take precedence."""
    documented = getattr(field, "documented", {})
    return {
        name: value for name, value in documented.items() if name not in ret or name in ("type", "additionalProperties")
    }


def references(names: Iterable[str]) -> Json:
    """Return headers of a response, by references to the components."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _is_part(code: ErrorCode, status: int) -> bool:
    return code.item and status == code.status
