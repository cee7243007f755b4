"""What must not tell which addresses have accounts does the same work for all: the same hashes, the same commands."""

import pytest

from taskmanager.features.users.models import User
from taskmanager.testing.factories import UserFactory
from tests.hashes import counted_hashes

AUTH = "/api/v1/auth"
PASSWORD = "an entirely new password"
KNOWN, UNPROVED, DISABLED, PROVIDED, UNKNOWN = (
    f"{name}@example.com" for name in ("known", "unproved", "disabled", "provided", "unknown")
)
ADDRESSES = (KNOWN, UNPROVED, DISABLED, PROVIDED, UNKNOWN)


@pytest.fixture
def people(app):
    """An account of each sort: proved, not proved, disabled, without a password."""
    for email in (KNOWN, DISABLED, PROVIDED):
        UserFactory(email=email)
    UserFactory(email=UNPROVED, verified=False)
    User.objects(email=DISABLED).update(set__disabled_at=User.objects.first().created_at)
    User.objects(email=PROVIDED).update(set__password_hash="none")


@pytest.fixture
def work(commands):
    """What a request costs: its status, the hashes and the commands to the database."""

    def work(client, path, body, **more):
        with commands.counted() as sent, counted_hashes() as hashed:
            answer = client.post(f"{AUTH}/{path}", json=body, **more)
        return answer.status_code, answer.data, hashed, list(sent)

    return work


def test_registration_costs_the_same_for_every_address(people, other_app, work):
    strict = other_app(require_verified_email=True).test_client()
    done = [work(strict, "register", {"email": e, "password": PASSWORD, "name": "A"}) for e in ADDRESSES]
    assert done == [(202, b"", ["hashpw"], done[0][3])] * len(ADDRESSES)
    assert "insert" in done[0][3]


@pytest.mark.parametrize("path", ["password-reset", "verify-email/request"])
def test_asking_for_a_mail_costs_the_same_for_every_address(people, client, work, path):
    done = [work(client, path, {"email": email}) for email in ADDRESSES]
    assert done == [(202, b"", [], done[0][3])] * len(ADDRESSES)


def test_a_failed_login_costs_the_same_for_every_address(people, client, work):
    done = [work(client, "login", {"email": email, "password": "a wrong password"}) for email in ADDRESSES]
    assert {status for status, *_ in done} == {401}
    assert [one[2:] for one in done] == [(["checkpw"], done[0][3])] * len(ADDRESSES)


def test_a_login_that_is_locked_for_new_addresses_costs_the_same(people, client, work, settings):
    done = []
    for email in (KNOWN, UNKNOWN):
        body = {"email": email, "password": "a wrong password"}
        for number in range(settings.lockout_failures * 5):
            client.post(f"{AUTH}/login", json=body, environ_overrides={"REMOTE_ADDR": f"203.0.113.{number}"})
        done.append(work(client, "login", body, environ_overrides={"REMOTE_ADDR": "198.51.100.9"}))
    assert {status for status, *_ in done} == {429}
    assert done[0][2:] == done[1][2:]


@pytest.mark.parametrize("token", ["tc_" + "A" * 80, "x"])
def test_a_password_is_not_hashed_for_a_token_that_is_not_good(client, work, token):
    status, _, hashed, _ = work(client, "password-reset/confirm", {"token": token, "password": PASSWORD})
    assert (status, hashed) == (404, [])


def test_a_password_is_not_hashed_for_a_token_that_was_used(people, client, deliver, mail, work):
    client.post(f"{AUTH}/password-reset", json={"email": KNOWN})
    deliver()
    body = {"token": mail.token_to(KNOWN), "password": PASSWORD}
    assert work(client, "password-reset/confirm", body)[0] == 204
    status, _, hashed, _ = work(client, "password-reset/confirm", body)
    assert (status, hashed) == (404, [])


def test_a_password_of_a_share_link_is_not_checked_for_a_link_that_is_not_good(client):
    body = {"token": "tl_" + "A" * 80, "password": PASSWORD}
    with counted_hashes() as hashed:
        assert client.post("/api/v1/share-links/open", json=body).status_code == 401
    assert hashed == []
