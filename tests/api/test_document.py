"""The OpenAPI document: valid, complete, and as it stands in the repository."""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from taskmanager.api.document.groups import GROUPS
from taskmanager.app import api_document
from taskmanager.core.events.log import Event
from taskmanager.features.webhooks.delivery import payloads
from taskmanager.features.webhooks.kinds import OWN_KINDS, TEST

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
    from openapi_spec_validator import validate

    validate(document)


def test_it_is_the_one_in_the_repository(document, root: Path):
    """A change of the contract is seen in review: `make openapi` writes it down."""
    kept = (root / "docs" / "openapi.json").read_text().splitlines()
    now = orjson.dumps(document, option=orjson.OPT_INDENT_2).decode().splitlines()
    changes = list(difflib.unified_diff(kept, now, "docs/openapi.json", "the application", lineterm="", n=2))
    assert not changes, "run `make openapi`, and look at the difference:\n" + "\n".join(changes[:80])


def test_the_service_serves_it(client, document):
    assert client.get("/api/v1/openapi.json").json == orjson.loads(orjson.dumps(document))


def test_every_operation_is_described_and_in_a_group(document):
    for method, path, operation in operations(document):
        assert operation["summary"] and operation["description"], (method, path)
        assert operation["tags"][0] in {group.name for group in GROUPS}, f"{path}: add its blueprint to a group"
    used = {operation["tags"][0] for _, _, operation in operations(document)}
    assert [tag["name"] for tag in document["tags"]] == [group.name for group in GROUPS if group.name in used]
    assert all(tag["description"] for tag in document["tags"])


def test_ids_of_operations_speak_and_stay(document, root: Path):
    """Generated clients name functions by them: a change breaks programs, and is seen in `operation_ids.txt`."""
    known = [line.split() for line in (root / "tests" / "api" / "operation_ids.txt").read_text().splitlines()]
    now = sorted([op["operationId"], method.upper(), path] for method, path, op in operations(document))
    assert now == sorted(known)
    ids = [name for name, _, _ in now]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not re.fullmatch("[a-z]+(_[a-z]+)+", name)] == []


def test_every_example_is_possible(document):
    found = list(_examples(document))
    assert len(found) > 400
    wrong = [
        f"{place}: {error.json_path} {error.message[:200]}"
        for place, schema, example in found
        for error in _validator(schema, document).iter_errors(example)
    ]
    assert wrong == []


def _validator(schema: dict, document: dict) -> Any:
    """Imported by the tests that use it: all processes read this file, and the grammars of addresses take seconds."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator({**schema, "components": document["components"]})


def _examples(document: dict) -> Iterator[tuple[str, dict, object]]:
    named = document["components"].get("examples", {})
    for place, part in _parts([document["paths"], document["webhooks"], document["components"]], ""):
        schema = part.get("schema", part)
        if "example" in part and ({"schema", "type", "$ref", "anyOf", "oneOf"} & part.keys()):
            yield place, schema, part["example"]
        for name, one in part.get("examples", {}).items() if "schema" in part else ():
            value = named[one["$ref"].rsplit("/", 1)[1]] if "$ref" in one else one
            yield f"{place}: {name}", schema, value["value"]


def _parts(value: object, place: str) -> Iterator[tuple[str, dict]]:
    if isinstance(value, dict):
        yield place, value
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        if name not in ("example", "examples", "default"):
            yield from _parts(inner, f"{place}/{name}")


def test_lists_of_values_have_one_name_and_dictionaries_a_value(document):
    schemas = document["components"]["schemas"]
    named = {f"/{name}" for name in schemas}
    parts = [*_parts(schemas, ""), *_parts(document["paths"], "paths")]
    assert [place for place, part in parts if len(part.get("enum", ())) > 1 and place not in named] == []
    loose = [
        place
        for place, part in parts
        if part.get("type") == "object" and not ({"properties", "oneOf"} & part.keys())
        if not isinstance(part.get("additionalProperties"), dict)
    ]
    assert loose == ["/FieldValue/anyOf/2"]  # an object of any resource, in the log of changes


def test_responses_are_open_and_what_they_have_is_required(document):
    """Clients go on when a release adds a property; and compare nothing with "not there" that is always there."""
    schemas = document["components"]["schemas"]
    optional = {
        f"{name}.{key}"
        for name in _received(document)
        for key in schemas[name].get("properties", {})
        if key not in schemas[name].get("required", ())
    }
    for name in _received(document):
        assert all(part.get("additionalProperties") is not False for _, part in _parts(schemas[name], "")), name
    expanded = {"assignees", "watchers", "reporter", "labels", "project", "parent"}
    counted = {"total", "done", "count", "dry_run", "partial"}  # only where there is something to count
    allowed = {"errors", "permission", "temp_id", "task", "problem", "html"} | counted | expanded
    optional = {name for name in optional if not name.startswith("SyncedObjects.")}  # those of `types`
    optional.remove("Tombstone.project_id")  # where it is known
    assert {name for name in optional if name.split(".")[1] not in allowed} == set()


def _received(document: dict) -> set[str]:
    """The names of the schemas of responses."""
    found: set[str] = set()
    waiting: list[object] = [op["responses"] for _, _, op in operations(document)]
    while waiting:
        for _, part in _parts(waiting.pop(), ""):
            name = str(part.get("$ref", "")).removeprefix("#/components/schemas/")
            if name in document["components"]["schemas"] and name not in found:
                found.add(name)
                waiting.append(document["components"]["schemas"][name])
    return found


def test_the_webhooks_are_all_kinds_of_events(document):
    assert document["webhooks"].keys() == {*OWN_KINDS, TEST}


def test_what_is_sent_to_webhooks_is_as_the_document_says(document, scene):
    owner = scene.owner
    label = owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json
    owner.patch(f"{scene.project_path}/labels/{label['id']}", json={"name": "fault"}, headers={"If-Match": "*"})
    owner.patch(scene.task_path, json={"priority": "high", "label_ids": [label["id"]]}, headers={"If-Match": "*"})
    owner.post(f"{scene.task_path}/comments", json={"text": "Done."})
    other = owner.post(f"{scene.project_path}/tasks", json={"title": "Other"}).json
    owner.post(f"{scene.task_path}/relations", json={"kind": "blocks", "task_id": other["id"]})
    owner.put(f"{scene.task_path}/completion", headers={"If-Match": "*"})
    owner.patch(scene.project_path, json={"name": "New"}, headers={"If-Match": "*"})
    scene.member("viewer")
    sent = [json.loads(payloads.build(event)) for event in Event.objects(kind__in=list(OWN_KINDS))]
    assert len({one["type"] for one in sent}) >= 7
    for one in sent:
        schema = document["webhooks"][one["type"]]["post"]["requestBody"]["content"]["application/json"]["schema"]
        _validator(schema, document).validate(one)


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


def test_bodies_of_several_forms_name_the_form(document):
    schemas = document["components"]["schemas"]
    several = {name: schema for name, schema in schemas.items() if "oneOf" in schema}
    told_by_null = several.pop("SyncedPreferences")  # the objects are those of the API, so no name is added to them
    forms = [schemas[one["$ref"].rsplit("/", 1)[1]]["properties"]["project_id"] for one in told_by_null["oneOf"]]
    assert [form["type"] for form in forms] == ["null", "string"]
    assert several.keys() == {"MemberIn", "OperationIn", "Place", "ReminderIn", "TaskPlace", "TokensOrTicket"}
    for name, schema in several.items():
        member, mapping = schema["discriminator"]["propertyName"], schema["discriminator"]["mapping"]
        assert {one["$ref"] for one in schema["oneOf"]} == set(mapping.values()), name
        for value, target in mapping.items():
            form = schemas[target.rsplit("/", 1)[1]]
            assert form["properties"][member]["const"] == value and member in form["required"]


def test_bodies_are_closed_and_have_examples(document):
    for method, path, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            name = media["schema"]["$ref"].rsplit("/", 1)[1]
            schemas = document["components"]["schemas"]
            variants = [one["$ref"].rsplit("/", 1)[1] for one in schemas[name].get("oneOf", ())]
            for variant in variants or [name]:
                assert schemas[variant].get("additionalProperties") is False, (method, path)
            assert "example" in media or "examples" in media, (method, path)
