"""Two versions of the API side by side in one application, each with its own document."""

from datetime import UTC, datetime

import pytest
from flask import Flask, Response
from marshmallow import fields

from taskmanager.api.version import ApiVersion
from taskmanager.web import answers
from taskmanager.web.blueprint import Blueprint, Deprecation
from taskmanager.web.openapi.document import Content
from taskmanager.web.schemas import Schema


class Old(Schema):
    """The answer of the first version."""

    name = fields.String(required=True)


class New(Schema):
    """The answer of the next version."""

    names = fields.List(fields.String(), required=True)


def _version(name: str, schema: type[Schema], body: dict, deprecated: Deprecation | None = None) -> ApiVersion:
    blueprint = Blueprint("names", __name__, url_prefix="/names")

    @blueprint.route("", public=True, deprecated=deprecated)
    @blueprint.response(200, schema)
    def names() -> Response:
        """The names"""
        return answers.data(body)

    return ApiVersion(name, (blueprint,), content=Content(f"Version {name}"))


@pytest.fixture
def both(other_app) -> Flask:
    app = other_app()
    old = Deprecation(datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2027, 1, 1, tzinfo=UTC))
    _version("v8", Old, {"name": "Ada"}, old).init_app(app)
    _version("v9", New, {"names": ["Ada"]}).init_app(app)
    return app


def test_each_answers_in_its_own_form(both):
    client = both.test_client()
    assert client.get("/api/v8/names").json == {"name": "Ada"}
    assert client.get("/api/v9/names").json == {"names": ["Ada"]}
    assert client.get("/api/v1/users/me").status_code == 401


def test_the_document_of_the_service_is_as_it_is_alone(both, client):
    """That it is valid is tested in `test_document.py`: it takes some seconds."""
    path = "/api/v1/openapi.json"
    assert both.test_client().get(path).json == client.get(path).json


@pytest.mark.parametrize("name", ["v8", "v9"])
def test_each_has_a_valid_document(both, name):
    document = both.test_client().get(f"/api/{name}/openapi.json").json
    from openapi_spec_validator import validate  # takes a second

    validate(document)
    assert all(f"{path}/".startswith(f"/api/{name}/") for path in document["paths"])


def test_the_old_one_says_that_it_goes_away(both):
    client = both.test_client()
    old, new = client.get("/api/v8/names"), client.get("/api/v9/names")
    assert old.headers["Deprecation"] == f"@{int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}"
    assert old.headers["Sunset"] == "Fri, 01 Jan 2027 00:00:00 GMT"
    assert "Deprecation" not in new.headers
