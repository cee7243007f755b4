"""Logging in: alike for everybody who may not, slow for those who guess, and never closed to the owner for long."""

import bcrypt
import pytest
import time_machine

from taskmanager.features.users.models import User
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.problems import assert_problem

LOGIN = "/api/v1/auth/login"


def try_login(client, email, password="a wrong password", address="192.0.2.1"):
    body = {"email": email, "password": password}
    return client.post(LOGIN, json=body, environ_overrides={"REMOTE_ADDR": address})


@pytest.fixture
def user(app):
    return UserFactory(email="ada@example.com")


@pytest.mark.parametrize("email", ["ada@example.com", "unknown@example.com"])
def test_after_too_many_failures_logins_from_there_are_locked(client, user, settings, email):
    for _ in range(settings.lockout_failures):
        assert_problem(try_login(client, email), 401, code="auth.invalid_credentials")
    assert_problem(try_login(client, email), 429, code="auth.locked")
    assert_problem(try_login(client, email, PASSWORD), 429, code="auth.locked")


def test_the_owner_logs_in_from_elsewhere_while_an_address_is_locked(client, user, settings):
    for _ in range(settings.lockout_failures + 1):
        try_login(client, user.email)
    assert try_login(client, user.email, PASSWORD, address="198.51.100.7").status_code == 200


def test_a_lock_ends_by_itself(client, user, settings):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        for _ in range(settings.lockout_failures + 1):
            answer = try_login(client, user.email)
        assert 0 < int(answer.headers["Retry-After"]) <= settings.lockout_minutes * 60
        clock.shift(settings.lockout_minutes * 60 + 1)
        assert try_login(client, user.email, PASSWORD).status_code == 200


def fail_from_everywhere(client, user, settings):
    for number in range(settings.lockout_failures * 5):
        try_login(client, user.email, address=f"203.0.113.{number}")


def test_failures_from_many_addresses_lock_new_addresses_and_not_the_owners(client, user, settings):
    assert try_login(client, user.email, PASSWORD, address="198.51.100.7").status_code == 200
    fail_from_everywhere(client, user, settings)
    assert_problem(try_login(client, user.email, PASSWORD, address="198.51.100.8"), 429, code="auth.locked")
    assert try_login(client, user.email, PASSWORD, address="198.51.100.7").status_code == 200


def test_a_password_reset_lifts_every_lock(client, user, settings, deliver, mail):
    fail_from_everywhere(client, user, settings)
    client.post("/api/v1/auth/password-reset", json={"email": user.email})
    deliver()
    body = {"token": mail.token_to(user.email), "password": "an entirely new password"}
    assert client.post("/api/v1/auth/password-reset/confirm", json=body).status_code == 204
    assert try_login(client, user.email, body["password"], address="198.51.100.8").status_code == 200


def test_the_owner_gets_one_mail_about_repeated_failures(client, user, settings, deliver, mail):
    for _ in range(settings.lockout_failures - 1):
        try_login(client, user.email)
    deliver()
    assert mail.messages == []
    for number in range(10):
        try_login(client, user.email, address=f"203.0.113.{number}")
    deliver()
    assert ["failed" in message["Subject"] for message in mail.to(user.email)] == [True]


def test_a_login_begins_the_count_anew(client, user, settings):
    for _ in range(3):
        for _ in range(settings.lockout_failures - 1):
            try_login(client, user.email)
        assert try_login(client, user.email, PASSWORD).status_code == 200


def test_the_hash_follows_the_cost_of_the_settings_at_the_next_login(client, user, other_app, settings):
    other_app(bcrypt_cost=settings.bcrypt_cost + 1)
    assert try_login(client, user.email, PASSWORD).status_code == 200
    assert User.objects.one(user.id).password_hash.split("$")[2] == f"{settings.bcrypt_cost + 1:02d}"
    assert try_login(client, user.email, PASSWORD).status_code == 200


@pytest.fixture
def hashed(monkeypatch):
    """The costs of the hashes that bcrypt has computed since, in order; it computes them still."""
    costs = []

    def counting(compute):
        return lambda password, salt: costs.append(int(salt.split(b"$")[2])) or compute(password, salt)

    for name in ("checkpw", "hashpw"):
        monkeypatch.setattr(bcrypt, name, counting(getattr(bcrypt, name)))
    return costs


def test_an_unknown_account_and_a_wrong_password_take_the_same_work(client, user, commands, settings, hashed):
    """Equal hashes and equal commands to the database; times differ by what else the machine does."""
    work = {}
    for email in (user.email, "unknown@example.com"):
        with commands.counted() as sent:
            assert try_login(client, email).status_code == 401
        work[email] = [*hashed, *sent]
        hashed.clear()
    assert work[user.email] == work["unknown@example.com"]
    assert work[user.email][:1] == [settings.bcrypt_cost]
