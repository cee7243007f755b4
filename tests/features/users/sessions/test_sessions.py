"""One's own sessions: seen, ended one by one or all."""

from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from tests.problems import assert_problem

ME = "/api/v1/users/me"
SESSIONS = f"{ME}/sessions"
LOGIN = "/api/v1/auth/login"
ANY = {"If-Match": "*"}


def test_sessions_are_listed_with_device_address_and_which_one_asks(app):
    user = UserFactory()
    here = sign_in(app, user)
    here.post(LOGIN, json={"email": user.email, "password": PASSWORD}, headers={"User-Agent": "phone"})
    rows = here.get(SESSIONS).json["items"]
    assert [row["current"] for row in rows] == [True, False]
    assert rows[1]["user_agent"] == "phone"
    assert rows[0]["address"] == "127.0.0.1"
    assert rows[0]["last_used_at"]
    assert not {"seed", "token_hash", "generation"} & rows[0].keys()


def test_one_session_is_ended_and_the_others_go_on(app):
    user = UserFactory()
    here, there = sign_in(app, user), sign_in(app, user)
    other = next(row["id"] for row in here.get(SESSIONS).json["items"] if not row["current"])
    assert here.delete(f"{SESSIONS}/{other}", headers=ANY).status_code == 204
    assert_problem(there.get(ME), 401, code="auth.session_ended")
    assert len(here.get(SESSIONS).json["items"]) == 1
    assert_problem(here.delete(f"{SESSIONS}/{other}", headers=ANY), 404)


def test_all_others_are_ended(app):
    user = UserFactory()
    here, *others = (sign_in(app, user) for _ in range(3))
    assert here.post(f"{SESSIONS}/end", json={"except_current": True}).status_code == 204
    assert [client.get(ME).status_code for client in others] == [401, 401]
    assert here.get(ME).status_code == 200


def test_all_are_ended(app):
    user = UserFactory()
    clients = [sign_in(app, user) for _ in range(2)]
    assert clients[0].post(f"{SESSIONS}/end", json={}).status_code == 204
    assert [client.get(ME).status_code for client in clients] == [401, 401]


def test_no_one_ends_or_sees_the_session_of_another(app):
    owner, stranger = sign_in(app, UserFactory()), sign_in(app, UserFactory())
    session_id = owner.get(SESSIONS).json["items"][0]["id"]
    assert_problem(stranger.delete(f"{SESSIONS}/{session_id}", headers=ANY), 404)
    assert session_id not in stranger.get(SESSIONS).text
    assert owner.get(ME).status_code == 200


def test_the_owner_is_told_of_a_refresh_token_that_was_used_twice(client, deliver, mail):
    user = UserFactory()
    first = client.post(LOGIN, json={"email": user.email, "password": PASSWORD}, headers={"User-Agent": "phone"}).json
    for agent in ("phone", "thief"):
        client.post(
            "/api/v1/auth/refresh", json={"refresh_token": first["refresh_token"]}, headers={"User-Agent": agent}
        )
    deliver()
    assert "safety" in mail.to(user.email)[-1]["Subject"]
