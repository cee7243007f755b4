"""The OpenAPI document: valid, complete, and as it stands in the repository."""

import difflib
from pathlib import Path

import orjson
import pytest
from openapi_spec_validator import validate

from taskmanager.app import api_document

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture(scope="module")
def document() -> dict:
    return api_document()


def operations(document: dict) -> list[tuple[str, str, dict]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_it_is_valid(document):
    validate(document)


def test_it_is_the_one_in_the_repository(document, root: Path):
    """A change of the contract is seen in review: `make openapi` writes it down."""
    kept = (root / "docs" / "openapi.json").read_text().splitlines()
    now = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode().splitlines()
    changes = list(difflib.unified_diff(kept, now, "docs/openapi.json", "the application", lineterm="", n=2))
    assert not changes, "run `make openapi`, and look at the difference:\n" + "\n".join(changes[:80])


def test_the_service_serves_it(client, document):
    assert client.get("/api/v1/openapi.json").json["paths"].keys() == document["paths"].keys()


def test_every_operation_is_described(document):
    for method, path, operation in operations(document):
        assert operation["summary"] and operation["operationId"] and operation["tags"], (method, path)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))


def test_every_operation_says_which_errors_it_gives(document):
    for method, path, operation in operations(document):
        assert {"406", "422", "429", "503"} <= operation["responses"].keys(), (method, path)
        if operation.get("security") != []:
            assert "401" in operation["responses"], (method, path)
        if method in ("patch", "put", "delete"):
            assert "412" in operation["responses"], (method, path)
            needed = {"$ref": "#/components/parameters/If-Match"} in operation["parameters"]
            assert ("428" in operation["responses"]) == needed, (method, path)


def test_every_error_is_problem_json(document):
    for name, response in document["components"]["responses"].items():
        if name.startswith("Problem"):
            assert list(response["content"]) == ["application/problem+json"], name


def test_bodies_are_closed_and_have_examples(document):
    for method, path, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            name = media["schema"]["$ref"].rsplit("/", 1)[1]
            schemas = document["components"]["schemas"]
            variants = [one["$ref"].rsplit("/", 1)[1] for one in schemas[name].get("oneOf", ())]
            for variant in variants or [name]:
                assert schemas[variant].get("additionalProperties") is False, (method, path)
            assert "example" in media or "examples" in media, (method, path)
