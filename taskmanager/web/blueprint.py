"""The Blueprint of all routes: it requires login by default, is strict, and adds the documentation of the conventions.

`route` adds these checks around each view, in this order: the client accepts JSON, the database is available, the
caller is logged in (unless `public=True`) and may use this route (API tokens have scopes), no query parameter is
unknown, the service is not in maintenance (for methods other than GET), and a POST runs once per Idempotency-Key.
`idempotent=False` is for logins and similar routes, whose description says why repeating them is harmless: counters of
failed attempts must be stored although the request is refused, and with a key all changes of a refused request are
rolled back.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, lru_cache, wraps
from typing import Any, Literal

import flask_smorest
from bson import ObjectId
from flask import Response
from marshmallow import Schema
from werkzeug.datastructures import MIMEAccept
from werkzeug.http import parse_accept_header
from werkzeug.routing import BaseConverter

from taskmanager.core.configuration.database_settings import ReplicaRead
from taskmanager.core.errors import ScopeMissing
from taskmanager.core.servers import service_state
from taskmanager.core.storage.database import capacity
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.authentication.context import current_request, given_header
from taskmanager.web.conditional import check_read, check_without_revision
from taskmanager.web.consistency import replica_reads
from taskmanager.web.errors import InvalidRequest, NotAcceptable
from taskmanager.web.idempotency import once
from taskmanager.web.openapi.conventions import Conventions, describe_operation
from taskmanager.web.parser import StrictParser, query_parameters
from taskmanager.web.requests import check_mutation_id

View = Callable[..., Response]

_PRODUCED = ("application/json", "application/problem+json")
_WILDCARDS = ("application/*", "*/*")


class ObjectIdConverter(BaseConverter):
    """An id in a path; another text is a 404."""

    regex = r"[0-9a-f]{24}"

    def to_python(self, value: str) -> ObjectId:
        return ObjectId(value)


class Deprecation:
    """The deprecation of a route or a version: RFC 9745 `Deprecation`, RFC 8594 `Sunset`."""

    def __init__(self, since: datetime, sunset: datetime | None = None, link: str | None = None) -> None:
        self.headers = {"Deprecation": f"@{int(since.timestamp())}"}
        if sunset:
            self.headers["Sunset"] = format_datetime(sunset.astimezone(UTC), usegmt=True)
        self.link = f'<{link}>; rel="deprecation"' if link else None

    def add_headers(self, response: Response) -> Response:
        """Add the headers; a list has a second Link for its next page."""
        response.headers.update(self.headers)
        if self.link:
            response.headers.add("Link", self.link)
        return response


class Blueprint(flask_smorest.Blueprint):
    """A blueprint whose routes have the checks of this module."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, scope: str | None = None, **options: Any) -> None:
        """Take `scope`: API tokens need `<scope>:read` or `<scope>:write` for its routes; None admits no API token."""
        super().__init__(name, import_name, **options)
        self.scope = scope

    def register_views_in_doc(self, api: Any, app: Any, spec: Any, *, name: str, parameters: Any) -> None:
        """Document the views; where the blueprint has a prefix to its name, ids of operations have it too.

        Such is a blueprint of a plugin: ids of operations are unique in the document.
        """
        if not name.startswith("x_"):
            return super().register_views_in_doc(api, app, spec, name=name, parameters=parameters)

        def name_operation(doc: dict[str, Any], info: dict[str, Any], **_: Any) -> dict[str, Any]:
            if "operationId" in (manual := info.get("manual_doc", {})):
                manual["operationId"] = f"{name}_{manual['operationId']}"
            return doc

        before: list[Any] = self._prepare_doc_cbks  # type: ignore[has-type]
        self._prepare_doc_cbks = [*before, name_operation]
        try:
            super().register_views_in_doc(api, app, spec, name=name, parameters=parameters)
        finally:
            self._prepare_doc_cbks = before
        return None

    def route(
        self,
        rule: str,
        *,
        public: bool = False,
        scope: str | None = None,
        idempotent: bool | Literal["itself"] = True,
        conditional: bool | Literal["without revision"] = True,
        binary: bool = False,
        replicas: ReplicaRead | None = None,
        in_maintenance: bool = False,
        deprecated: Deprecation | None = None,
        problems: Iterable[int] = (),
        **options: Any,
    ) -> Callable[[View], View]:
        """Register a view.

        `scope` replaces the blueprint's; one such as `tasks:read` is needed as it is.
        `conditional=False`: its PATCH, PUT or DELETE needs no If-Match, but compares one that is sent. What it changes
        may be "without revision": then only `*` matches.
        `idempotent="itself"`: the view calls `once`. `binary`: the response is not JSON.
        `replicas`: the kind of its reads, when secondaries may answer them.
        `in_maintenance`: it works also while the service may not be changed, such as a login.
        `problems` are the statuses of errors that it returns beside those of the conventions.
        """
        method = options.get("methods", ["GET"])[0]
        needed = None if public else self._scope_of(method, scope)
        kind = Conventions(
            method,
            public=public,
            idempotent=bool(idempotent),
            conditional=conditional is True,
            revised=conditional != "without revision",
            extra=problems,
            scope=needed,
            replicas=replicas,
        )
        options.setdefault("tags", [self.name])
        register = super().route(rule, **options)

        def decorate(view: View) -> View:
            wrapped = _once(view) if kind.idempotent and idempotent is True else view
            guarded = _guard(wrapped, kind, deprecated, binary, in_maintenance or method == "GET")
            describe_operation(guarded, rule, kind)
            _document_deprecation(guarded, deprecated)
            register(guarded)
            # flask-smorest has copied it
            guarded._apidoc = view._apidoc = self._docs[view.__name__][method.lower()]  # type: ignore[attr-defined]
            return view

        return decorate

    def arguments(self, schema: Any, **options: Any) -> Callable[[View], View]:
        """Return flask-smorest's decorator; the document says which bodies are optional.

        The schema is made once, because webargs would make one for each request.
        """
        required = not getattr(schema, "may_be_left_out", False)
        return super().arguments(_instance(schema), required=required, **options)

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Callable[[View], View]:
        """Return flask-smorest's decorator; all responses of a schema share its instance."""
        return super().response(status_code, _instance(schema), **options)

    def _scope_of(self, method: str, scope: str | None) -> str | None:
        scope = scope or self.scope
        if scope and ":" in scope:
            return scope
        return scope and f"{scope}:{'read' if method == 'GET' else 'write'}"


def _instance(schema: Any) -> Any:
    return _made(schema) if isinstance(schema, type) else schema


@cache
def _made(schema: type[Schema]) -> Schema:
    return schema()


def _guard(view: View, kind: Conventions, deprecated: Deprecation | None, binary: bool, in_maintenance: bool) -> View:
    takes_query = any(part["in"] == "query" for part in _parameters(view))

    @wraps(view)
    def guarded(*args: Any, **kwargs: Any) -> Response:
        if not binary:
            _check_acceptable()
        with capacity.acquire_slot(needs_primary=not replica_reads.may_answer(kind.replicas)):
            if not kind.public and not current_actor().has_scope(kind.scope):
                raise ScopeMissing(scope=kind.scope)
            if not takes_query and (present := current_request()).query_string:
                _refuse_all(query_parameters(present))
            if not in_maintenance:
                service_state.check_writable()
            response = _answer(kind, lambda: view(*args, **kwargs))
        return deprecated.add_headers(response) if deprecated else response

    guarded.is_public, guarded.scope = kind.public, kind.scope  # type: ignore[attr-defined]
    guarded.conditional, guarded.in_maintenance = kind.conditional, in_maintenance  # type: ignore[attr-defined]
    return guarded


def _answer(kind: Conventions, view: Callable[[], Response]) -> Response:
    """Return the response of a view whose caller is known, after the conventions of its method."""
    if kind.method == "GET":
        response = replica_reads.read(kind.replicas, view)
        check_read(response)
        return response
    if kind.method == "POST" or not kind.revised:
        check_without_revision()
    check_mutation_id()
    return replica_reads.write(view)


def _document_deprecation(view: Any, deprecated: Deprecation | None) -> None:
    if deprecated:
        view._apidoc["manual_doc"]["deprecated"] = True


def _once(view: View) -> View:
    @wraps(view)
    def run(*args: Any, **kwargs: Any) -> Response:
        return once(lambda: view(*args, **kwargs))

    return run


def _check_acceptable() -> None:
    """Raise NotAcceptable unless the client accepts JSON."""
    if not _accepts_json(given_header("HTTP_ACCEPT") or ""):
        raise NotAcceptable


@lru_cache(maxsize=1_000)
def _accepts_json(header: str) -> bool:
    """Return whether an Accept header admits JSON; parameters of a media range do not count (RFC 8259, 11)."""
    parsed = parse_accept_header(header, MIMEAccept)
    ranges = [(name.partition(";")[0].strip().lower(), quality) for name, quality in parsed]
    return not ranges or any(_quality(kind, ranges) > 0 for kind in _PRODUCED)


def _quality(kind: str, ranges: list[tuple[str, float]]) -> float:
    exact = [quality for name, quality in ranges if name == kind]
    return max(exact or [quality for name, quality in ranges if name in _WILDCARDS], default=0)


def _refuse_all(parameters: dict[str, str]) -> None:
    if parameters:
        raise InvalidRequest({"query": {name: ["Unknown field."] for name in parameters}})


def _parameters(view: View) -> list[dict[str, Any]]:
    return getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
