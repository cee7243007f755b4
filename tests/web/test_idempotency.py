"""A POST that is sent twice with one Idempotency-Key has its effect once."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests
from pydantic import SecretStr

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings as settings_module
from taskmanager.core.events.log import Event
from taskmanager.features.tasks.models import Task
from taskmanager.web.idempotency import IdempotencyKey
from tests.moments import from_now
from tests.problems import assert_problem


def post(client, path, body, key):
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def titles(scene):
    return sorted(Task.objects(project_id=scene.project.id, id__ne=scene.task.id).scalar("title"))


def test_the_second_gets_the_first_answer_again_and_is_told_so(scene):
    first = post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    second = post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    for name in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert second.headers[name] == first.headers[name], name
    assert (second.status_code, second.json) == (201, first.json)
    assert titles(scene) == ["a"]


def test_its_event_is_recorded_once(scene):
    for _ in range(2):
        made = post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1").json
    assert [event.kind for event in Event.objects(subject_id=made["id"])] == ["task.created"]


@pytest.mark.parametrize(("one", "other"), [("k", '"k"'), ('"k"', "k"), (" k ", "k")])
def test_a_key_may_be_quoted_or_bare(scene, one, other):
    post(scene.owner, scene.tasks_path, {"title": "a"}, one)
    assert post(scene.owner, scene.tasks_path, {"title": "a"}, other).headers["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(
    "change",
    [
        {"json": {"title": "b"}},
        {"json": {"title": "a", "priority": "low"}},
        {"data": b'{"title":  "a"}', "content_type": "application/json"},
    ],
)
def test_the_same_key_with_another_body_is_refused(scene, change):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    answer = scene.owner.post(scene.tasks_path, headers={"Idempotency-Key": "key-1"}, **change)
    assert_problem(answer, 422, code="idempotency.key_reused")
    assert titles(scene) == ["a"]


def test_another_caller_may_use_the_same_key(scene):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    answer = post(scene.member(), scene.tasks_path, {"title": "a"}, "key-1")
    assert (answer.status_code, "Idempotency-Replayed" in answer.headers) == (201, False)
    assert titles(scene) == ["a", "a"]


def test_another_route_may_use_the_same_key(scene):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    answer = post(scene.owner, "/api/v1/projects", {"key": "NEW", "name": "New"}, "key-1")
    assert answer.status_code == 201


def test_a_refused_request_is_not_remembered(scene):
    assert post(scene.owner, scene.tasks_path, {"title": ""}, "key-1").status_code == 422
    assert post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1").status_code == 201


def test_a_conflict_is_not_remembered(scene):
    body = {"key": scene.project.key, "name": "Again"}
    for _ in range(2):
        assert_problem(post(scene.owner, "/api/v1/projects", body, "key-1"), 409, code="project.key_taken")
    assert IdempotencyKey.objects.count() == 0


def test_a_key_ends_after_its_hours(scene):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    IdempotencyKey.objects.update(set__expires_at=now() - timedelta(seconds=1))
    answer = post(scene.owner, scene.tasks_path, {"title": "b"}, "key-1")
    assert (answer.status_code, titles(scene)) == (201, ["a", "b"])


def test_a_key_does_not_open_what_was_lost_since(scene):
    member = scene.member()
    assert post(member, scene.tasks_path, {"title": "a"}, "key-1").status_code == 201
    scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers={"If-Match": "*"})
    answer = post(member, scene.tasks_path, {"title": "a"}, "key-1")
    # The first answer may be told again to whom it was told, and nothing newer.
    assert answer.status_code in (201, 404)


def test_a_key_needs_a_login(scene):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    assert_problem(post(scene.who("anonymous"), scene.tasks_path, {"title": "a"}, "key-1"), 401)


def test_registering_twice_with_one_key_makes_one_account_and_says_so_twice(client):
    body = {"email": "new@example.com", "password": "correct horse", "name": "Ada"}
    answers = [post(client, "/api/v1/auth/register", body, "key-1") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json == answers[1].json


def test_registering_with_the_key_of_another_and_another_password_tells_nothing(client):
    body = {"email": "new@example.com", "password": "correct horse", "name": "Ada"}
    post(client, "/api/v1/auth/register", body, "key-1")
    answer = post(client, "/api/v1/auth/register", body | {"password": "another horse"}, "key-1")
    assert_problem(answer, 422, code="idempotency.key_reused")


def test_a_password_is_never_kept(client):
    body = {"email": "new@example.com", "password": "correct horse", "name": "Ada"}
    post(client, "/api/v1/auth/register", body, "key-1")
    assert "correct horse" not in str(IdempotencyKey._get_collection().find_one())


def test_a_login_is_never_kept(scene):
    body = {"email": scene.owner.user.email, "password": "correct horse battery staple"}
    answers = [post(scene.who("anonymous"), "/api/v1/auth/login", body, "key-1").json for _ in range(2)]
    assert answers[0]["refresh_token"] != answers[1]["refresh_token"]
    assert IdempotencyKey.objects.count() == 0


@pytest.mark.parametrize("attempt", range(3))
def test_many_at_once_with_one_key_make_one_task(scene, server, attempt):
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "Idempotency-Key": str(uuid.uuid4())}

    def send(_):
        return requests.post(server.url + scene.tasks_path, json={"title": "a"}, headers=headers, timeout=60)

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(send, range(10)))
    statuses = {answer.status_code for answer in answers}
    assert statuses <= {201, 409}, [answer.text for answer in answers]
    assert len({answer.json()["id"] for answer in answers if answer.ok}) == 1
    assert titles(scene) == ["a"]
    assert {a.json()["code"] for a in answers if a.status_code == 409} <= {"idempotency.in_progress"}


def test_a_secret_that_is_shown_once_is_shown_again_to_who_repeats_and_kept_encrypted(scene):
    body, path = {"url": "https://203.0.113.7.example/", "events": ["*"]}, "/api/v1/webhooks"
    first, second = (post(scene.owner, path, body, "key-1") for _ in range(2))
    assert (first.status_code, second.json) == (201, first.json)
    assert len(scene.owner.get(path).json["items"]) == 1
    assert first.json["secret"].encode() not in bytes(IdempotencyKey.objects.get().body)


def test_an_answer_that_cannot_be_read_any_more_is_not_made_twice(scene, settings):
    post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    settings_module.use(settings.model_copy(update={"secret_key": SecretStr("x" * 40)}))
    try:
        again = post(scene.owner, scene.tasks_path, {"title": "a"}, "key-1")
    finally:
        settings_module.use(settings)
    assert_problem(again, 409, code="idempotency.answer_lost")
    assert titles(scene) == ["a"]


def test_a_token_does_not_get_what_a_session_was_answered(scene, client):
    body = {"name": "t", "scopes": ["webhooks:write"], "expires_at": from_now(days=30)}
    token = scene.owner.post("/api/v1/users/me/tokens", json=body).json["token"]
    hook = {"url": "https://8.8.8.8/", "events": ["*"]}
    assert post(scene.owner, "/api/v1/webhooks", hook, "key-1").status_code == 201
    headers = {"Idempotency-Key": "key-1", "Authorization": f"Bearer {token}"}
    assert_problem(client.post("/api/v1/webhooks", json=hook, headers=headers), 403, code="auth.scope_missing")
