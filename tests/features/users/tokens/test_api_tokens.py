"""API tokens and service accounts: a part of what an account may do, until a day, and never more."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
import time_machine

from taskmanager.core import quotas
from taskmanager.features.users.models import ApiToken, User
from taskmanager.features.users.tokens import service as api_tokens
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.moments import from_now
from tests.problems import assert_problem
from tests.scene import patch

ME = "/api/v1/users/me"
TOKENS = f"{ME}/tokens"
SERVICES = "/api/v1/service-accounts"
ANY = {"If-Match": "*"}


def make(client, path=TOKENS, **fields):
    body = {"name": "Import", "scopes": list(api_tokens.SCOPES), "expires_at": from_now(days=30)} | fields
    return client.post(path, json=body)


def with_token(app, text):
    client = app.test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {text}"
    return client


@pytest.fixture
def token(app, scene):
    """Makes a client with a token of the project's owner."""
    return lambda **fields: with_token(app, make(scene.owner, **fields).json["token"])


def test_a_token_is_shown_once_and_stored_as_a_hash(caller):
    person = caller()
    answer = make(person)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    text = answer.json["token"]
    assert text.startswith("tm_")
    assert text not in person.get(f"{TOKENS}/{answer.json['id']}").text
    assert text not in person.get(TOKENS).text
    assert text not in str(ApiToken._get_collection().find_one())


def test_a_token_works_where_a_jwt_does_within_its_scopes(scene, token):
    reader = token(scopes=["tasks:read"])
    assert reader.get(scene.task_path).status_code == 200
    problem = assert_problem(patch(reader, scene.task_path, {"title": "x"}), 403, code="auth.scope_missing")
    assert problem["scope"] == "tasks:write"
    assert "insufficient_scope" in patch(reader, scene.task_path, {"title": "x"}).headers["WWW-Authenticate"]
    assert_problem(reader.get(scene.project_path), 403, code="auth.scope_missing")


def test_a_token_for_one_project_sees_no_other(scene, token):
    other = ProjectFactory(owner=scene.owner.user)
    hidden = TaskFactory(project=other)
    one = token(project_id=str(scene.project.id))
    assert [row["id"] for row in one.get("/api/v1/projects").json["items"]] == [str(scene.project.id)]
    assert [row["id"] for row in one.get("/api/v1/tasks").json["items"]] == [str(scene.task.id)]
    assert_problem(one.get(f"/api/v1/projects/{other.id}"), 404)
    assert_problem(one.get(f"/api/v1/tasks/{hidden.id}"), 404)
    assert one.get(scene.task_path).status_code == 200
    assert_problem(one.post("/api/v1/projects", json={"key": "NEW", "name": "New"}), 403, code="auth.scope_missing")


def test_a_token_never_does_more_than_its_account_may_now(app, scene):
    member = scene.member("manager")
    program = with_token(app, make(member).json["token"])
    assert patch(program, scene.project_path, {"name": "A"}).status_code == 200
    patch(scene.owner, f"{scene.members_path}/{member.user.id}", {"role": "viewer"})
    assert_problem(patch(program, scene.project_path, {"name": "B"}), 403, code="permission.denied")
    scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY)
    assert_problem(program.get(scene.project_path), 404)


@pytest.mark.parametrize("path", ["tokens", "sessions", "sessions/end", "password", "email"])
def test_a_token_reaches_neither_tokens_nor_sessions_nor_the_password(token, path):
    method = "GET" if path == "sessions" else "POST"
    assert_problem(token().open(f"{ME}/{path}", method=method, json={}), 403, code="auth.scope_missing")


def test_a_token_of_an_administrator_is_no_administrator(app, caller):
    admin = caller(role="admin")
    program = with_token(app, make(admin).json["token"])
    assert admin.get("/health").status_code == 200
    assert program.get("/health").status_code == 403
    assert program.get(SERVICES).status_code == 403


def test_a_revoked_token_is_refused_at_the_next_request_also_in_another_process(app, caller, server):
    person = caller()
    made = make(person).json
    bearer = {"Authorization": f"Bearer {made['token']}"}
    before = {requests.get(server.url + ME, headers=bearer, timeout=60).status_code for _ in range(8)}
    assert person.delete(f"{TOKENS}/{made['id']}", headers=ANY).status_code == 204
    after = {requests.get(server.url + ME, headers=bearer, timeout=60).status_code for _ in range(8)}
    assert (before, after) == ({200}, {401})


def test_a_token_ends_at_its_time(app, caller):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        program = with_token(app, make(caller(), expires_at="2026-12-01T10:00:00Z").json["token"])
        assert program.get(ME).status_code == 200
        clock.shift(3600)
        assert_problem(program.get(ME), 401, code="auth.invalid_token")


@pytest.mark.parametrize("days", [-1, 0, 367, 100_000])
def test_a_token_must_end_in_a_time_that_the_operator_allows(caller, days):
    problem = assert_problem(make(caller(), expires_at=from_now(days=days)), 422)
    assert problem["errors"][0]["location"] == "body.expires_at"


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["admin"]},
        {"scopes": ["*"]},
        {"name": ""},
        {"project_id": "65f1c0ffee0123456789abcd"},
    ],
)
def test_what_cannot_be_a_token_is_refused(caller, wrong):
    assert_problem(make(caller(), **wrong), 422)
    assert ApiToken.objects.count() == 0


def test_a_token_cannot_be_for_a_project_that_its_owner_is_not_in(caller, scene):
    assert_problem(make(caller(), project_id=str(scene.project.id)), 422)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: text[:-1],
        lambda text: text + "A",
        lambda text: text[:-4] + "AAAA",
        lambda text: text.swapcase(),
        lambda text: text.replace("tm_", "tc_"),
        lambda text: text[3:],
        lambda text: "tm_",
        lambda text: "tm_" + "A" * 96,
        lambda text: text + "=",
    ],
)
def test_a_spoilt_token_is_a_401(app, caller, spoil):
    text = make(caller()).json["token"]
    assert_problem(with_token(app, spoil(text)).get(ME), 401, code="auth.invalid_token")


def test_a_token_of_a_disabled_account_is_refused(app, caller):
    person = caller()
    program = with_token(app, make(person).json["token"])
    User.objects(id=person.user.id).update(set__disabled_at=person.user.created_at, inc__access_version=1)
    assert program.get(ME).status_code == 401


def test_no_one_sees_or_revokes_the_token_of_another(caller):
    made = make(caller()).json
    stranger = caller()
    assert_problem(stranger.get(f"{TOKENS}/{made['id']}"), 404)
    assert_problem(stranger.delete(f"{TOKENS}/{made['id']}", headers=ANY), 404)


def test_an_account_has_a_bounded_number_of_tokens_also_when_many_are_made_at_once(app, caller):
    person = caller()
    for _ in range(quotas.limit("tokens") - 2):
        assert make(person).status_code == 201
    clients = [with_token(app, person.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")) for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(make, clients))
    assert statuses == [201, 201, 409, 409, 409, 409]


def test_the_last_use_is_recorded(app, caller):
    person = caller()
    made = make(person).json
    assert made["last_used_at"] is None
    with_token(app, made["token"]).get(ME)
    seen = person.get(f"{TOKENS}/{made['id']}").json
    assert seen["last_used_at"] is not None
    assert seen["last_used_address"] == "127.0.0.1"


def test_a_password_reset_revokes_tokens(app, caller, deliver, mail):
    person = caller()
    program = with_token(app, make(person).json["token"])
    person.post("/api/v1/auth/password-reset", json={"email": person.user.email})
    deliver()
    body = {"token": mail.token_to(person.user.email), "password": "an entirely new password"}
    assert person.post("/api/v1/auth/password-reset/confirm", json=body).status_code == 204
    assert program.get(ME).status_code == 401


# --- service accounts -----------------------------------------------------------------------------------------


def test_a_service_account_works_in_a_project_by_its_token(app, caller, scene):
    admin = caller(role="admin")
    account = admin.post(SERVICES, json={"name": "Importer"}).json
    body = {"user_id": account["id"], "role": "member"}
    assert scene.owner.post(scene.members_path, json=body).status_code == 201
    program = with_token(app, make(admin, f"{SERVICES}/{account['id']}/tokens").json["token"])
    assert program.post(scene.tasks_path, json={"title": "Imported"}).status_code == 201
    etag = admin.get(f"{SERVICES}/{account['id']}").headers["ETag"]
    answer = admin.patch(f"{SERVICES}/{account['id']}", json={"disabled": True}, headers={"If-Match": etag})
    assert answer.json["disabled_at"]
    assert program.get(scene.task_path).status_code == 401


def test_no_one_logs_in_to_a_service_account(client, caller, deliver, mail):
    account = caller(role="admin").post(SERVICES, json={"name": "Importer"}).json
    email = User.objects.one(api_tokens.ObjectId(account["id"])).email
    for password in ("none", "", "x"):
        answer = client.post("/api/v1/auth/login", json={"email": email, "password": password})
        assert answer.status_code in (401, 422)
    client.post("/api/v1/auth/password-reset", json={"email": email})
    deliver()
    assert mail.to(email) == []


def test_only_administrators_keep_service_accounts(caller):
    assert_problem(caller().post(SERVICES, json={"name": "Importer"}), 403, code="permission.denied")


def test_a_session_of_a_person_is_no_service_account(app, caller):
    admin, person = caller(role="admin"), caller()
    assert_problem(admin.get(f"{SERVICES}/{person.user.id}"), 404)
    assert_problem(make(admin, f"{SERVICES}/{person.user.id}/tokens"), 404)
    assert sign_in(app, person.user).get(ME).status_code == 200
