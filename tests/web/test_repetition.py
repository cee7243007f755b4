"""Every POST can be repeated: it takes an Idempotency-Key, or says why a repetition is harmless."""

from concurrent.futures import ThreadPoolExecutor

import bcrypt
import pytest
import requests

from taskmanager.core.storage import database, unit_of_work
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import passwords
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.web.idempotency import IdempotencyKey
from tests.problems import assert_problem

KEY = {"Idempotency-Key": "once"}
OTHER_PASSWORD = "another horse battery"


def test_every_post_takes_a_key_or_says_why_not(client):
    document = client.get("/api/v1/openapi.json").json
    silent = [
        path
        for path, operations in document["paths"].items()
        if (post := operations.get("post")) and not _takes_key(post) and "repetition" not in post["description"].lower()
    ]
    assert silent == []


def _takes_key(operation):
    return any("Idempotency-Key" in str(part) for part in operation.get("parameters", []))


def test_one_key_makes_one_mail(app, client, deliver, mail):
    user = UserFactory()
    for _ in range(2):
        answer = client.post("/api/v1/auth/password-reset", json={"email": user.email}, headers=KEY)
        assert answer.status_code == 202
    deliver()
    assert len(mail.to(user.email)) == 1


def test_a_key_whose_request_is_running_says_when_to_come_again(scene):
    post = lambda: scene.owner.post(scene.tasks_path, json={"title": "a"}, headers=KEY)  # noqa: E731
    assert post().status_code == 201
    kept = IdempotencyKey.objects.first()
    IdempotencyKey.objects.delete()
    with database.client().start_session() as session, session.start_transaction():
        held = {"_id": kept.id, "fingerprint": kept.fingerprint, "expires_at": kept.expires_at}
        IdempotencyKey._get_collection().insert_one(held, session=session)
        answer = post()
        session.abort_transaction()
    assert_problem(answer, 409, "idempotency.in_progress")
    assert int(answer.headers["Retry-After"]) >= 1
    assert post().status_code == 201
    assert Task.objects(title="a").count() == 2


@pytest.fixture
def hashing(monkeypatch):
    """How often a password was hashed or compared, each time outside of any transaction."""
    seen = []

    def watched(function):
        def run(*args):
            assert unit_of_work._made.get() is None, "a transaction is open"
            seen.append(function.__name__)
            return function(*args)

        return run

    for name in ("hashpw", "checkpw"):
        monkeypatch.setattr(bcrypt, name, watched(getattr(bcrypt, name)))
    return seen


@pytest.mark.parametrize("headers", [KEY, {}])
def test_no_password_is_hashed_while_a_transaction_is_open(client, caller, scene, hashing, headers):
    body = {"email": "new@example.com", "password": PASSWORD, "name": "New"}
    assert client.post("/api/v1/auth/register", json=body, headers=headers).status_code == 201
    assert hashing == ["hashpw"]
    link = {"role": "viewer", "password": OTHER_PASSWORD}
    made = scene.owner.post(f"{scene.project_path}/share-links", json=link, headers=headers)
    assert made.status_code == 201, made.text
    changed = {"current_password": PASSWORD, "new_password": OTHER_PASSWORD}
    answer = scene.owner.post("/api/v1/users/me/password", json=changed, headers=headers)
    assert answer.status_code == 204, answer.text
    assert hashing.count("hashpw") == 3


def test_a_use_case_runs_again_with_what_was_made_outside(app, hashing):
    runs = []

    @unit_of_work.unit_of_work
    def use_case():
        runs.append(passwords.make_hash(PASSWORD))
        return passwords.matches(PASSWORD, runs[-1])

    assert use_case()
    assert (len(runs), len(set(runs)), hashing) == (2, 1, ["hashpw", "checkpw"])


def test_eight_at_once_register_with_a_key_each(server):
    def register(number):
        body = {"email": f"many{number}@example.com", "password": PASSWORD, "name": "Many"}
        headers = {"Idempotency-Key": f"many-{number}"}
        return requests.post(f"{server.url}/api/v1/auth/register", json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(register, range(8)))
    assert {answer.status_code for answer in answers} == {201}
