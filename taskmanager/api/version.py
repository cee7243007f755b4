"""One version of the API: blueprints under a prefix, with an OpenAPI document of their own.

Several versions can live side by side in one application.
"""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import flask_smorest
import orjson
from flask import Flask, Response
from marshmallow import fields

import taskmanager
from taskmanager.web.answers import cached
from taskmanager.web.blueprint import Blueprint, ObjectIdConverter
from taskmanager.web.schemas import Choice, Email, Id, Instant, Problem

_PROBLEMS = (400, 401, 403, 404, 406, 409, 412, 413, 415, 422, 428, 429, 503)
_SECURITY = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The `access_token` of `POST /auth/login`.",
    }
}


class Api(flask_smorest.Api):
    """flask-smorest's Api without its error handlers: `web/errors.py` is the one place for those."""

    ERROR_SCHEMA = Problem
    DEFAULT_ERROR_RESPONSE_NAME = None

    def _register_error_handlers(self) -> None:
        """Left out on purpose."""


class Version:
    """A named version of the API and the blueprints in it."""

    def __init__(self, name: str, blueprints: Iterable[Blueprint], description: str) -> None:
        self.name, self.blueprints, self.description = name, tuple(blueprints), description

    @property
    def prefix(self) -> str:
        return f"/api/{self.name}"

    def init_app(self, app: Flask) -> Api:
        """Register the blueprints, and the document at `/api/<name>/openapi.json`."""
        app.url_map.converters.setdefault("objectid", ObjectIdConverter)
        api = self._api(app)
        for blueprint in self.blueprints:
            prefix = self.prefix + (blueprint.url_prefix or "")
            api.register_blueprint(blueprint, name=f"{self.name}.{blueprint.name}".replace(".", "_"), url_prefix=prefix)
        app.extensions.setdefault("taskmanager-versions", {})[self.name] = api
        path = f"{self.prefix}/openapi.json"
        app.add_url_rule(path, f"openapi_{self.name}", lambda: _document(api))
        return api

    def _api(self, app: Flask) -> Api:
        prefix = f"{self.name.upper()}_"
        app.config[f"{prefix}API_TITLE"] = "Task Manager"
        app.config[f"{prefix}API_VERSION"] = taskmanager.__version__
        app.config[f"{prefix}OPENAPI_VERSION"] = "3.1.0"
        api = Api(app, config_prefix=prefix, spec_kwargs={"info": {"description": self.description}})
        api.register_converter(ObjectIdConverter, lambda converter: {"type": "string", "pattern": "^[0-9a-f]{24}$"})
        for kind, form in ((Id, "objectid"), (Instant, "date-time"), (Email, "email")):
            api.register_field(kind, "string", form)
        api.register_field(Choice, fields.String)
        _describe(api)
        return api


def _describe(api: Api) -> None:
    for name, scheme in _SECURITY.items():
        api.spec.components.security_scheme(name, scheme)
    api.spec.options["security"] = [{"bearer": []}]
    for status in _PROBLEMS:
        response: dict[str, Any] = {
            "description": HTTPStatus(status).phrase,
            "content": {"application/problem+json": {"schema": Problem}},
        }
        api.spec.components.response(f"Problem{status}", response)


def _document(api: Api) -> Response:
    return cached(orjson.dumps(api.spec.to_dict(), option=orjson.OPT_INDENT_2), "application/json")
