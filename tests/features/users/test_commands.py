"""The commands for operators, with the settings of the tests."""

import json

import pytest

from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.terminal import Terminal


@pytest.fixture
def run(app, settings):
    """Runs a command against the servers of the tests."""
    return Terminal(settings)


def log_in(client, email, password):
    return client.post("/api/v1/auth/login", json={"email": email, "password": password}).status_code


def test_an_account_is_made_with_a_password_that_is_shown_once(run, client):
    ran = run("users", "create", "Ada@example.com", "--name", "Ada", "--admin")
    assert ran.returncode == 0, ran.stderr
    password = ran.stdout.split("Password: ")[1].strip()
    assert log_in(client, "ada@example.com", password) == 200
    user = User.objects.get(email="ada@example.com")
    assert (user.role, user.name, user.email_verified_at is not None) == ("admin", "Ada", True)


def test_a_password_is_read_from_standard_input_and_not_repeated(run, client):
    ran = run("users", "create", "ada@example.com", "--password-stdin", given="some ordinary words\n")
    assert (ran.returncode, "ordinary" in ran.stdout) == (0, False)
    assert log_in(client, "ada@example.com", "some ordinary words") == 200


def test_a_user_is_promoted_and_disabled_while_their_session_runs(run, app):
    user = UserFactory()
    UserFactory(role="admin")
    person = sign_in(app, user)
    assert run("users", "promote", user.email).returncode == 0
    assert person.get("/api/v1/users").status_code == 200
    assert run("users", "disable", user.email).returncode == 0
    assert person.get("/api/v1/users/me").status_code == 401


def test_an_account_is_not_promoted_by_an_address_that_no_one_has_confirmed(run, deliver, mail):
    user = UserFactory(verified=False)
    ran = run("users", "promote", user.email)
    assert (ran.returncode, "not confirmed" in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)
    assert User.objects.one(user.id).role == "user"
    deliver()
    assert mail.token_to(user.email)


def test_a_new_password_ends_the_sessions(run, app, client):
    user = UserFactory()
    person = sign_in(app, user)
    ran = run("users", "reset-password", user.email)
    assert ran.returncode == 0, ran.stderr
    assert person.get("/api/v1/users/me").status_code == 401
    assert log_in(client, user.email, PASSWORD) == 401
    assert log_in(client, user.email, ran.stdout.split("Password: ")[1].strip()) == 200


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("promote", "unknown@example.com"), "There is no account"),
        (("disable", "unknown@example.com"), "There is no account"),
        (("reset-password", "unknown@example.com"), "There is no account"),
        (("create", "ada@example.com"), "has an account already"),
        (("create", "no address"), "Not an address"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(run, app, words, says):
    UserFactory(email="ada@example.com")
    ran = run("users", *words)
    assert ran.returncode == 1
    assert says in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_common_password_is_refused(run):
    ran = run("users", "create", "ada@example.com", "--password-stdin", given="password\n")
    assert (ran.returncode, "try first" in ran.stderr) == (1, True)


def test_keys_are_rotated_and_listed(run, settings):
    made = run("keys", "rotate").stdout.split()[0]
    listed = run("keys", "list").stdout
    assert made in listed
    assert "signing" in listed
    (settings.keys_path / f"{made}.pem").unlink()


def test_commands_tell_programs_what_the_account_is_now(run):
    user = UserFactory()
    UserFactory(role="admin")
    for verb, expected in (
        ("disable", {"disabled": True}),
        ("enable", {"disabled": False}),
        ("promote", {"role": "admin"}),
        ("demote", {"role": "user"}),
    ):
        found = json.loads(run("users", verb, user.email, "--json").stdout)
        assert found["email"] == user.email and expected.items() <= found.items()
    made = json.loads(run("users", "create", "new@example.com", "--json").stdout)
    assert made["verified"] and len(made["password"]) > 10
    assert json.loads(run("users", "delete", user.email, "--yes", "--json").stdout) == {"deleted": user.email}
