"""What clients accept and send, in the spellings that real ones use."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import iso, now
from tests.problems import assert_problem
from tests.scene import patch


@pytest.mark.parametrize(
    "accept",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
        "application/json; version=1; q=0.5",
        "application/json, text/plain, */*",
        "text/html, application/xhtml+xml, application/xml;q=0.9, */*;q=0.8",
        "application/*; charset=utf-8",
        "application/problem+json",
        "*/*; charset=utf-8",
        "",
    ],
)
def test_json_is_accepted_however_it_is_spelt(scene, accept):
    assert scene.owner.get(scene.task_path, headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml; charset=utf-8", "application/json;q=0, application/problem+json;q=0, */*"]
)
def test_a_client_that_takes_no_json_gets_a_406(scene, accept):
    assert_problem(scene.owner.get(scene.task_path, headers={"Accept": accept}), 406)


@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
def test_a_post_takes_json(scene, kind):
    answer = scene.owner.post(scene.tasks_path, data=b'{"title": "a"}', content_type=kind)
    assert answer.status_code == 201


def test_a_post_takes_no_merge_patch(scene):
    kind = "application/merge-patch+json"
    assert_problem(scene.owner.post(scene.tasks_path, data=b'{"title": "a"}', content_type=kind), 415)
    assert_problem(scene.owner.put(f"{scene.task_path}/position", data=b"{}", content_type=kind), 415)


@pytest.mark.parametrize("kind", ["application/json", "application/merge-patch+json"])
def test_a_patch_takes_both(scene, kind):
    headers = {"If-Match": "*", "Content-Type": kind}
    assert scene.owner.patch(scene.task_path, data=b'{"title": "b"}', headers=headers).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_of_a_token_is_case_insensitive(scene, client, scheme):
    token = scene.owner.environ_base["HTTP_AUTHORIZATION"].split()[1]
    assert client.get("/api/v1/users/me", headers={"Authorization": f"{scheme} {token}"}).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_that_of_an_api_token_too(scene, client, scheme):
    body = {"name": "script", "scopes": ["tasks:read"], "expires_at": iso(now() + timedelta(days=1))}
    made = scene.owner.post("/api/v1/users/me/tokens", json=body)
    assert made.status_code == 201, made.text
    headers = {"Authorization": f"{scheme} {made.json['token']}"}
    assert client.get("/api/v1/tasks", headers=headers).status_code == 200


@pytest.mark.parametrize("header", ["Bearer nonsense", "bearer tm_nonsense", "Bearer tl_nonsense", "Bearer a.b.c"])
def test_a_bad_token_is_told_as_an_invalid_token(client, header):
    answer = client.get("/api/v1/users/me", headers={"Authorization": header})
    assert_problem(answer, 401)
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_an_ended_session_is_told_as_an_invalid_token(scene):
    assert scene.owner.post("/api/v1/auth/logout").status_code == 204
    answer = scene.owner.get("/api/v1/users/me")
    assert_problem(answer, 401, code="auth.session_ended")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_without_a_token_there_is_no_error_in_the_challenge(client):
    answer = client.get("/api/v1/users/me")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="taskmanager"'


def test_null_in_a_merge_patch_clears(scene):
    patch(scene.owner, scene.task_path, {"description": "a"})
    assert patch(scene.owner, scene.task_path, {"description": None}).json["description"] in (None, "")
