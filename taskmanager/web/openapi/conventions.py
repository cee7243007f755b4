"""The documentation of one route: the headers, parameters and statuses of errors that the conventions give it."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from taskmanager.core.configuration.database_settings import ReplicaRead
from taskmanager.web.openapi.components import EVERYWHERE, Json, references

WRITES = ("PATCH", "PUT", "DELETE")


class Conventions:
    """How a route uses the conventions; the arguments of `Blueprint.route`."""

    def __init__(
        self,
        method: str,
        *,
        public: bool,
        idempotent: bool,
        conditional: bool,
        extra: Iterable[int],
        scope: str | None,
        replicas: ReplicaRead | None = None,
        revised: bool = True,
    ) -> None:
        self.public = public
        self.idempotent = idempotent and method == "POST"
        self.conditional = conditional and method in WRITES
        self.toggle = not conditional and method in WRITES
        self.method, self.extra, self.scope = method, extra, scope
        self.replicas = replicas
        self.revised = revised


def describe_operation(view: Any, rule: str, kind: Conventions) -> None:
    """Add the headers, parameters and errors of the conventions to the documentation of a view."""
    info: Json = view.__dict__.setdefault("_apidoc", {})
    documented = info.get("response", {}).get("responses", {})
    for response in (response for responses in documented.values() for response in responses):
        response.setdefault("headers", {}).update(references(_response_headers(response, kind)))
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


def _response_headers(response: Json, kind: Conventions) -> Iterable[str]:
    schema = response.get("schema")
    versioned = schema is not None and {"revision", "items"} & schema._declared_fields.keys()
    yield from ("ETag",) if versioned else ()
    yield from ("Link",) if schema is not None and "items" in schema._declared_fields else ()
    yield from ("Location",) if response["description"] == HTTPStatus.CREATED.phrase else ()
    yield from ("Idempotency-Replayed",) if kind.idempotent else ()
    yield from ("X-Causal-Token",) if kind.replicas or (kind.method != "GET" and not kind.public) else ()
    yield from EVERYWHERE


def _request_headers(kind: Conventions) -> Iterable[str]:
    yield from ("If-None-Match",) if kind.method == "GET" else ()
    yield from ("X-Causal-Token",) if kind.replicas else ()
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
