"""Every code of an error is in the catalogue, has a page, and stands at the operations that return it."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeGuard

import pytest
from flask import Flask

from taskmanager.app import CORE, FEATURES, api_document
from taskmanager.core import errors as kernel, registry
from taskmanager.core.error_codes import ERROR_CODES
from taskmanager.feature import build_registry
from taskmanager.web.errors import STATUS

# Errors of processes and of jobs: no response has them.
_INTERNAL = {
    *("error", "settings.invalid", "database.unfit", "job.refused", "backup.failed"),
    *("delivery.rejected", "delivery.cancelled", "delivery.postponed"),
}
_CODE = re.compile(r"[a-z_]+(?:\.[a-z_]+)?")
_COMPUTED = {"quota.", "label.taken", "custom_field.taken"}  # what is put together, and what begins so
_STATUS_OF = {kind.__name__: status for kind, status in STATUS.items()}


@pytest.fixture(scope="module", autouse=True)
def catalogue(app: Flask) -> Iterator[None]:  # before it, else the registry of the application ends with this module
    with registry.using(build_registry((CORE, *FEATURES))):
        yield


@cache
def raised(root: Path) -> tuple[tuple[str, str, str], ...]:
    """Each code in the source: the code, the class that is raised with it, and the place."""
    return tuple(_found(root))


def _found(root: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted([*(root / "taskmanager").rglob("*.py"), *(root / "workers").glob("stream*.py")]):
        if path.name in ("errors.py", "codes.py") and path.parent.name != "core" and "web" not in path.parts:
            continue  # the catalogue
        for node in ast.walk(ast.parse(path.read_text())):
            place = f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)}"
            yield from ((code, name, place) for code, name in _codes_in(node))


def _codes_in(node: ast.AST) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for keyword in node.keywords:
            if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                yield str(keyword.value.value), name
    elif isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "code":
        ends = (node.value.body, node.value.orelse) if isinstance(node.value, ast.IfExp) else (node.value,)
        yield from ((str(one.value), "") for one in ends if _is_code(one))
    elif isinstance(node, ast.Assign) and _is_reason(node.value):
        yield str(node.value.elts[0].value), ""
    elif isinstance(node, ast.Constant) and _is_code(node) and node.value in ERROR_CODES:
        yield str(node.value), ""


def _is_reason(node: ast.AST) -> TypeGuard[ast.Tuple]:
    """Tell whether this is a code with its sentence, which a function is given later."""
    if not (
        isinstance(node, ast.Tuple) and len(node.elts) == 2 and all(isinstance(one, ast.Constant) for one in node.elts)
    ):
        return False
    code, detail = (str(one.value) for one in node.elts)
    return "." in code and bool(_CODE.fullmatch(code)) and detail.endswith(".")


def _is_code(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_CODE.fullmatch(node.value))


def test_every_code_that_the_source_raises_is_in_the_catalogue(root: Path):
    """A new code gets an ErrorCode in `errors.py` of its feature: title, why, what to do, operations."""
    unknown = {code: place for code, _, place in raised(root) if code not in ERROR_CODES}
    assert {code: place for code, place in unknown.items() if code not in _INTERNAL} == {}


def test_no_code_of_the_catalogue_is_unused(root: Path):
    used = {code for code, _, _ in raised(root)} | {"invalid", "required", "null", "unknown_field"}
    free = {code for code in ERROR_CODES if code not in used and not code.startswith("http.")}
    assert {code for code in free if not any(code.startswith(start) for start in _COMPUTED)} == set()


def test_the_status_of_a_code_is_that_of_the_errors_raised_with_it(root: Path):
    wrong = {
        (code, name, place): ERROR_CODES[code].statuses
        for code, name, place in raised(root)
        if code in ERROR_CODES and name in _STATUS_OF and _STATUS_OF[name] not in ERROR_CODES[code].statuses
    }
    assert wrong == {}
    for kind in (one for one in vars(kernel).values() if isinstance(one, type) and one in STATUS):
        assert ERROR_CODES[kind.code].status == STATUS[kind]


def test_operations_of_codes_exist_and_name_them():
    document = api_document()
    operations = {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for method, operation in path.items()
        if method != "parameters"
    }
    for code in ERROR_CODES.values():
        for name in code.operations.strip("*-").split():
            assert name in operations, f"{code.name} names the operation {name}, which does not exist"
            assert code.name in operations[name]["x-error-codes"]
            for status in code.statuses:
                response = operations[name]["responses"][str(status)]
                assert f"`{code.name}`" in response["description"], (code.name, name)


def test_each_code_has_a_page_and_the_index_links_it(client):
    index = client.get("/docs/errors")
    assert index.status_code == 200
    for code in ERROR_CODES.values():
        page = client.get(f"/docs/errors/{code.name}")
        assert page.status_code == 200, code.name
        assert f"/docs/errors/{code.name}" in index.text
        for heading in ("What happened", "Why", "What to do", "Example"):
            assert heading in page.text
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    assert "http" not in page.headers["Content-Security-Policy"]


def test_the_type_of_an_error_is_the_address_of_its_page(client, scene):
    for answer in (
        client.get("/api/v1/users/me"),
        client.get("/api/v1/nowhere"),
        scene.owner.get(scene.task_path + "x"),
        scene.owner.patch(scene.task_path, json={"title": "A"}),
        scene.owner.patch(scene.task_path, json={"titel": "A"}, headers={"If-Match": "*"}),
    ):
        problem = answer.get_json(force=True)
        assert problem["type"].startswith("http://localhost")
        page = client.get(problem["type"].removeprefix("http://localhost"))
        assert (page.status_code, problem["title"] in page.text) == (200, True), problem
    assert client.get("/docs/errors/no.such_code").status_code == 404


def test_pages_name_the_operations_that_return_the_code(client):
    page = client.get("/docs/errors/task.blocked").text
    assert "PUT /api/v1/tasks/{task_id}/completion" in page
    assert "POST /api/v1/auth/login" not in page
