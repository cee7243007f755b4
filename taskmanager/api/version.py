"""One version of the API: blueprints under a prefix, with an OpenAPI document of their own.

One application can have several versions. The `deprecation` of an old version is announced in the headers of all its
responses and in its document.
"""

from collections.abc import Iterable
from threading import Lock
from typing import Any

import flask_smorest
import orjson
from flask import Flask, Response, current_app, request

import taskmanager
from taskmanager.web.answers import cached
from taskmanager.web.blueprint import Blueprint, Deprecation, ObjectIdConverter
from taskmanager.web.openapi.components import add_components, describe_field
from taskmanager.web.openapi.document import Content, finish
from taskmanager.web.openapi.problems import Problem
from taskmanager.web.openapi.shapes import operations
from taskmanager.web.schemas import Form, RankedChoice
from taskmanager.web.urls import mounted

_BEARER = {
    "type": "http",
    "scheme": "bearer",
    "bearerFormat": "JWT",
    "description": "The `access_token` of `POST /auth/login`, an API token (`tm_…`), or a share link (`tl_…`, `ts_…`).",
}
_LICENSE = {"name": "MIT", "identifier": "MIT"}
_CONTACT = {"name": "The operator of this service"}
_MAX_ROOTS = 4  # paths below which proxies serve one process: for each, it keeps the document
_ID_IN_A_PATH = {"type": "string", "pattern": "^[0-9a-f]{24}$", "example": "65f1c0ffee0123456789abcd"}


class Api(flask_smorest.Api):
    """flask-smorest's Api without its error handlers: those are in `web/errors.py`.

    Routes are described when the document is needed, because that takes longer than all else in `create_app`.
    """

    ERROR_SCHEMA = Problem()  # made once, not for each status
    DEFAULT_ERROR_RESPONSE_NAME = None
    deprecated = False

    def __init__(self, *args: Any, **options: Any) -> None:
        self._undescribed: list[tuple[Blueprint, str]] = []
        self.documents: dict[str, bytes] = {}  # by the path that the service is below
        self.making = Lock()
        super().__init__(*args, **options)

    def _register_error_handlers(self) -> None:
        """Register no error handlers: `web/errors.py` has them."""

    def _register_pagination_header(self) -> None:
        """Register no pagination header: lists are paged by cursor."""

    def register_blueprint(self, blp: Blueprint, *, name: str, **options: Any) -> None:
        """Register the routes under this name."""
        self._app.register_blueprint(blp, name=name, **options)
        self._undescribed.append((blp, name))

    def describe(self) -> None:
        """Describe the routes that were registered; their tag is the blueprint's own name, without the version's."""
        for blueprint, name in self._undescribed:
            blueprint.register_views_in_doc(self, self._app, self.spec, name=name, parameters=None)
            self.spec.tag({"name": blueprint.name, "description": blueprint.description})
        self._undescribed.clear()


class ApiVersion:
    """A named version of the API and the blueprints in it."""

    def __init__(
        self, name: str, blueprints: Iterable[Blueprint], content: Content, deprecation: Deprecation | None = None
    ) -> None:
        self.name, self.blueprints, self.content = name, tuple(blueprints), content
        self.deprecation = deprecation

    @property
    def prefix(self) -> str:
        return f"/api/{self.name}"

    def name_of(self, blueprint: Blueprint) -> str:
        """Return the name by which a blueprint is registered with the application."""
        return f"{self.name}_{blueprint.name}"

    def init_app(self, app: Flask) -> Api:
        """Register the blueprints, and the document at `/api/<name>/openapi.json`."""
        app.url_map.converters.setdefault("objectid", ObjectIdConverter)
        api = self._api(app)
        for blueprint in self.blueprints:
            prefix = self.prefix + (blueprint.url_prefix or "")
            api.register_blueprint(blueprint, name=self.name_of(blueprint), url_prefix=prefix)
        api.deprecated = self.deprecation is not None
        app.extensions.setdefault("taskmanager-versions", {})[self.name] = api
        app.extensions.setdefault("taskmanager-documents", {})[self.name] = lambda: self._encoded(api)
        app.add_url_rule(f"{self.prefix}/openapi.json", f"openapi_{self.name}", lambda: self._respond(api))
        if self.deprecation:
            app.after_request(self._announce)
        return api

    def document(self) -> dict[str, Any]:
        """Return the OpenAPI document of this version alone: it needs no plugins, settings or servers."""
        return self._document(self.init_app(Flask(__name__)))

    def _api(self, app: Flask) -> Api:
        prefix = f"{self.name.upper()}_"
        app.config[f"{prefix}API_TITLE"] = "Task Manager"
        app.config[f"{prefix}API_VERSION"] = taskmanager.__version__
        app.config[f"{prefix}OPENAPI_VERSION"] = "3.1.0"
        info = {"description": self.content.introduction, "license": _LICENSE, "contact": _CONTACT}
        about = {"info": info, "servers": [{"url": "/"}], "security": [{"bearer": []}]}
        api = Api(app, config_prefix=prefix, spec_kwargs=about)
        api.register_converter(ObjectIdConverter, lambda converter: _ID_IN_A_PATH)
        api.register_field(Form, "string", None)
        api.register_field(RankedChoice, "string", None)
        api.ma_plugin.converter.add_attribute_function(describe_field)
        api.spec.components.security_scheme("bearer", _BEARER)
        add_components(api.spec)
        for shape, schema in self.content.schemas.items():
            api.spec.components.schema(shape, schema)
        return api

    def _document(self, api: Api) -> dict[str, Any]:
        api.describe()
        document = finish(api.spec.to_dict(), api.ma_plugin.converter.refs, self.content)
        for operation in operations(document) if self.deprecation else ():
            operation["deprecated"] = True
        return document

    def _respond(self, api: Api) -> Response:
        """Return the document as the response of its route."""
        return cached(self._encoded(api), "application/json")

    def _encoded(self, api: Api) -> bytes:
        """Return the document, which is made at the first request, after plugins have added their routes.

        One thread makes it: the description of the routes, from which it is made, changes meanwhile.
        """
        root, kept = mounted("") or "/", api.documents
        with api.making:
            if root not in kept:
                document = orjson.loads(next(iter(kept.values()))) if kept else self._document(api)
                if len(kept) == _MAX_ROOTS:
                    kept.popitem()
                kept[root] = orjson.dumps(document | {"servers": [{"url": root}]})
            return kept[root]

    def _announce(self, response: Response) -> Response:
        old = self.deprecation and f"{request.path}/".startswith(f"{self.prefix}/")
        return self.deprecation.add_headers(response) if old else response  # type: ignore[union-attr]


def document_of(name: str) -> dict[str, Any]:
    """Return the document of a version of this application, with the routes of its plugins."""
    return orjson.loads(current_app.extensions["taskmanager-documents"][name]())


def operations_by_code() -> dict[str, list[dict[str, str]]]:
    """Return the operations that return each code of an error: {code: their `method`, `path` and `summary`}."""
    name = "taskmanager-error-operations"
    kept: dict[str, list[dict[str, str]]] | None = current_app.extensions.get(name)
    if kept is None:
        kept = {}
        for path, item in document_of("v1")["paths"].items():
            for method, operation in item.items():
                for code in operation["x-error-codes"] if method != "parameters" else ():
                    summary = operation.get("summary", "")
                    kept.setdefault(code, []).append({"method": method.upper(), "path": path, "summary": summary})
        current_app.extensions[name] = kept  # whole: other threads read it
    return kept
