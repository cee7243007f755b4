"""Every error is problem+json: also those of routing, of the limiter, of the database, and a crash."""

import pytest
from flask import Flask
from pymongo.errors import DuplicateKeyError, OperationFailure, ServerSelectionTimeoutError

from taskmanager.core import errors
from taskmanager.core.storage.database import breaker
from taskmanager.web import errors as web_errors
from tests.problems import assert_problem


@pytest.fixture
def failing(other_app):
    """A client of an application with a route that raises what a test wants."""

    def make(error):
        app: Flask = other_app()

        def fail():
            raise error

        app.add_url_rule("/fail", view_func=fail)
        return app.test_client()

    yield make
    breaker.close()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.Malformed(), 400, "request.malformed"),
        (errors.Unauthenticated(), 401, "auth.required"),
        (errors.Forbidden(), 403, "permission.denied"),
        (errors.NotFound(), 404, "not_found"),
        (errors.Conflict("Taken.", code="x.taken"), 409, "x.taken"),
        (errors.PreconditionFailed(), 412, "precondition.failed"),
        (errors.Invalid("body.x", "No."), 422, "validation.failed"),
        (errors.PreconditionRequired(), 428, "precondition.required"),
        (errors.Unavailable(), 503, "service.unavailable"),
        (web_errors.NotAcceptable(), 406, "request.not_acceptable"),
        (DuplicateKeyError("E11000 secret"), 409, "conflict"),
        (ServerSelectionTimeoutError("mongodb://user:secret@host"), 503, "database.unavailable"),
        (OperationFailure("secret", 1), 503, "database.unavailable"),
        (ZeroDivisionError("secret"), 500, "internal"),
        (errors.TaskManagerError("secret"), 500, "internal"),
        (RecursionError("secret"), 500, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_each_exception_has_a_status_and_a_code_and_tells_no_cause(failing, error, status, code):
    answer = failing(error).get("/fail")
    assert_problem(answer, status, code=code)
    assert "secret" not in answer.text


def test_a_crash_tells_the_request_id_and_nothing_else(failing):
    answer = failing(RuntimeError("the cause")).get("/fail", headers={"X-Request-ID": "mine-1"})
    body = assert_problem(answer, 500)
    assert body["request_id"] == "mine-1"
    assert "RuntimeError" not in answer.text


def test_an_invalid_body_tells_where_each_mistake_is(scene):
    body = {"title": "", "assignee_ids": ["x"], "nonsense": 1}
    problem = assert_problem(scene.owner.post(scene.tasks_path, json=body), 422, code="validation.failed")
    found = {item["location"]: item["code"] for item in problem["errors"]}
    assert found == {"body.title": "invalid", "body.assignee_ids.0": "invalid", "body.nonsense": "unknown_field"}


@pytest.mark.parametrize(
    ("body", "code"), [({}, "required"), ({"title": None}, "null"), ({"title": "a", "x": 1}, "unknown_field")]
)
def test_common_mistakes_have_codes_for_programs(scene, body, code):
    problem = assert_problem(scene.owner.post(scene.tasks_path, json=body), 422)
    assert [item["code"] for item in problem["errors"]] == [code]


def test_an_invalid_query_tells_the_parameter(scene):
    problem = assert_problem(scene.owner.get(f"{scene.tasks_path}?limit=0"), 422)
    assert [item["location"] for item in problem["errors"]] == ["query.limit"]


def test_the_answer_to_fifty_thousand_mistakes_is_short(scene):
    body = {f"n{number}": 1 for number in range(50_000)}
    problem = assert_problem(scene.owner.post(scene.tasks_path, json=body), 422)
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize("path", ["/nothing", "/api/v1/nothing", "/docs/nothing", "/api/v1/tasks/x"])
def test_an_unknown_address_is_a_problem(client, path):
    assert_problem(client.get(path), 404)


def test_a_wrong_method_says_which_are_right(client):
    answer = client.delete("/api/v1/auth/login")
    assert_problem(answer, 405)
    assert set(answer.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}
    assert answer.json["detail"] == "This path has POST, not DELETE."


def test_an_unknown_path_says_where_paths_are_listed(client):
    assert "/docs lists those of the API" in client.get("/api/v1/projcts").json["detail"]


def test_a_large_body_is_refused_before_it_is_read(scene):
    answer = scene.owner.post(scene.tasks_path, data=b" " * 1_000_001, content_type="application/json")
    assert_problem(answer, 413)


def test_a_missing_permission_is_named(scene):
    answer = scene.member("viewer").post(scene.tasks_path, json={"title": "a"})
    assert assert_problem(answer, 403)["permission"] == "task:create"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_error_to_a_client_that_wants_html_is_json_all_the_same(client, method):
    assert_problem(client.open("/nothing", method=method, headers={"Accept": "text/html"}), 404)


def test_head_answers_like_get_without_a_body(scene):
    got, head = scene.owner.get(scene.task_path), scene.owner.head(scene.task_path)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == got.headers["ETag"]
