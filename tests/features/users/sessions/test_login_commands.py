"""What a login costs, counted; and what it rests on is read again when it has changed."""

from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.features.users import service as users
from taskmanager.features.users.models import SecondFactor, Session, User
from taskmanager.features.users.sessions import login_state, service as sessions
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD

LOGIN = ["aggregate", "findAndModify", "insert", "findAndModify", "insert", "commitTransaction"]


@pytest.fixture
def credentials(user):
    return {"email": user.email, "password": PASSWORD}


def add_sessions(user, number):
    """Store live sessions of an account, the oldest first."""
    begin = now() - timedelta(days=1)
    Session.insert_all(
        [
            Session(
                id=ObjectId(),
                user_id=user.id,
                seed="s",
                token_hash="h",
                created_at=begin + timedelta(seconds=index),
                expires_at=now() + timedelta(days=1),
            )
            for index in range(number)
        ]
    )


def live(user):
    return Session.objects.live().filter(user_id=user.id).count()


def test_a_login_is_six_commands(client, credentials, commands):
    for _ in range(2):
        with commands.counted() as sent:
            assert client.post("/api/v1/auth/login", json=credentials).status_code == 200
        assert sent == LOGIN


def test_a_refresh_is_four_commands(client, credentials, commands):
    token = client.post("/api/v1/auth/login", json=credentials).json["refresh_token"]
    with commands.counted() as sent:
        assert client.post("/api/v1/auth/refresh", json={"refresh_token": token}).status_code == 200
    assert sent == ["find", "find", "findAndModify", "commitTransaction"]


def test_the_login_after_a_failure_deletes_the_count(client, credentials, commands):
    client.post("/api/v1/auth/login", json=credentials | {"password": "a wrong password"})
    with commands.counted() as sent:
        assert client.post("/api/v1/auth/login", json=credentials).status_code == 200
    assert sorted(sent) == sorted([*LOGIN, "delete"])


@pytest.mark.parametrize("email", ["known@example.com", "unknown@example.com"])
def test_the_state_of_an_address_is_one_command(app, commands, email):
    UserFactory(email="known@example.com")
    with commands.counted() as sent:
        state = login_state.load(email, "127.0.0.1")
    assert sent == ["aggregate"]
    assert (state.user is None, state.failures, state.has_second_factor, state.sessions) == (
        email == "unknown@example.com",
        {},
        False,
        0,
    )


def test_an_account_keeps_its_newest_sessions(client, user, credentials):
    add_sessions(user, users.MAX_SESSIONS)
    assert client.post("/api/v1/auth/login", json=credentials).status_code == 200
    assert live(user) == users.MAX_SESSIONS
    assert login_state.load(user.email, "127.0.0.1").sessions == users.MAX_SESSIONS


def test_sessions_that_were_started_meanwhile_are_counted(user):
    state = login_state.load(user.email, "127.0.0.1")
    add_sessions(user, users.MAX_SESSIONS)
    users.raise_access_versions([user.id])  # as each start of a session does
    assert isinstance(sessions.begin(state.user, user_agent="", address="127.0.0.1", state=state), sessions.Login)
    assert live(user) == users.MAX_SESSIONS


def test_a_second_factor_that_was_turned_on_meanwhile_is_required(user):
    state = login_state.load(user.email, "127.0.0.1")
    SecondFactor(user_id=user.id, secret=b"s", confirmed_at=now()).save()
    users.raise_access_versions([user.id])  # as turning it on does
    assert isinstance(sessions.begin(state.user, user_agent="", address="127.0.0.1", state=state), str)
    assert login_state.load(user.email, "127.0.0.1").has_second_factor


def test_a_second_factor_that_is_not_confirmed_is_not_required(client, user, credentials):
    SecondFactor(user_id=user.id, secret=b"s").save()
    assert "access_token" in client.post("/api/v1/auth/login", json=credentials).json


def test_a_password_that_was_changed_meanwhile_is_not_accepted(user):
    state = login_state.load(user.email, "127.0.0.1")
    User.objects(id=user.id).update(set__password_hash="another")
    with pytest.raises(sessions.Unauthenticated):
        sessions.begin(state.user, user_agent="", address="127.0.0.1", state=state)
    assert live(user) == 0
