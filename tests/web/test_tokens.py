"""Access tokens: what is not exactly one of ours is a 401; a session that ends ends everywhere at once."""

from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
import time_machine

from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.testing.factories.things import PASSWORD
from taskmanager.web.authentication.actors import LEEWAY_SECONDS
from tests.problems import assert_problem
from tests.web.forgeries import FORGERIES, HEADERS, Forger

ME = "/api/v1/users/me"
LOGIN = "/api/v1/auth/login"
REFRESH = "/api/v1/auth/refresh"
LOGOUT = "/api/v1/auth/logout"


def token_of(client):
    return client.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")


@pytest.fixture
def forger(app, caller):
    stranger = jwt.decode(token_of(caller()), options={"verify_signature": False})
    good = token_of(caller())
    keys = app.extensions["taskmanager-keys"]
    return Forger(keys, good, stranger_id=stranger["sub"], stranger_session=stranger["sid"])


def with_header(client, path, value):
    return client.get(path, headers={"Authorization": value.encode("utf-8", "surrogatepass").decode("latin-1")})


def test_the_forger_can_make_a_good_token(client, forger):
    assert with_header(client, ME, f"Bearer {forger.token()}").status_code == 200


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_token_is_a_401(client, forger, name):
    value = f"Bearer {FORGERIES[name](forger)}"
    assert_problem(with_header(client, ME, value), 401)
    assert with_header(client, "/health/live", value).status_code == 200


@pytest.mark.parametrize("name", HEADERS)
def test_a_malformed_header_is_a_401(client, forger, name):
    value = HEADERS[name](forger.good)
    assert_problem(with_header(client, ME, value), 401)
    assert with_header(client, "/health/live", value).status_code == 200


def test_a_public_route_works_with_a_bad_token(client):
    user = UserFactory()
    body = {"email": user.email, "password": PASSWORD}
    answer = client.post(LOGIN, json=body, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 200


def test_a_refresh_token_is_no_access_token(client):
    tokens = logged_in(client)
    assert_problem(with_header(client, ME, f"Bearer {tokens['refresh_token']}"), 401, code="auth.invalid_token")


def test_a_token_is_refused_when_its_time_is_over_although_it_was_good_before(app, settings):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        client = sign_in(app, UserFactory())
        assert client.get(ME).status_code == 200
        clock.shift(settings.access_token_minutes * 60 + LEEWAY_SECONDS - 1)
        assert client.get(ME).status_code == 200  # clocks that agree do not agree exactly
        clock.shift(1)
        assert_problem(client.get(ME), 401, code="auth.invalid_token")


def test_the_answer_to_a_bad_token_says_how_to_log_in(client):
    assert client.get(ME).headers["WWW-Authenticate"].startswith("Bearer")


# --- sessions -------------------------------------------------------------------------------------------------


def logged_in(client, user=None, **headers):
    user = user or UserFactory()
    answer = client.post(LOGIN, json={"email": user.email, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json


def refreshed(client, token, **headers):
    return client.post(REFRESH, json={"refresh_token": token}, headers=headers)


def bearer(tokens):
    return {"Authorization": f"Bearer {tokens['access_token']}"}


def test_logout_ends_the_session_and_no_other(app):
    user = UserFactory()
    one, other = sign_in(app, user), sign_in(app, user)
    assert one.post(LOGOUT).status_code == 204
    assert_problem(one.get(ME), 401, code="auth.session_ended")
    assert other.get(ME).status_code == 200


def test_logout_spends_the_refresh_token(client):
    tokens = logged_in(client)
    client.post(LOGOUT, headers=bearer(tokens))
    assert_problem(refreshed(client, tokens["refresh_token"]), 401, code="auth.invalid_refresh_token")


def test_logout_is_known_to_another_process_at_its_next_request(client, server):
    tokens = logged_in(client)
    # often enough that each of its processes has seen the session
    before = [requests.get(server.url + ME, headers=bearer(tokens), timeout=60).status_code for _ in range(12)]
    client.post(LOGOUT, headers=bearer(tokens))
    after = [requests.get(server.url + ME, headers=bearer(tokens), timeout=60).status_code for _ in range(12)]
    assert (set(before), set(after)) == ({200}, {401})


def test_logout_in_another_process_is_known_here_at_the_next_request(client, server):
    tokens = logged_in(client)
    assert client.get(ME, headers=bearer(tokens)).status_code == 200
    assert requests.post(server.url + LOGOUT, headers=bearer(tokens), timeout=60).status_code == 204
    assert client.get(ME, headers=bearer(tokens)).status_code == 401


def test_a_refresh_gives_new_tokens_of_the_same_session(client):
    first = logged_in(client)
    second = refreshed(client, first["refresh_token"]).json
    assert second["refresh_token"] != first["refresh_token"]
    sessions = {jwt.decode(t["access_token"], options={"verify_signature": False})["sid"] for t in (first, second)}
    assert len(sessions) == 1
    assert client.get(ME, headers=bearer(second)).status_code == 200


def test_tokens_are_never_stored_by_anybody(client):
    tokens = logged_in(client)
    assert refreshed(client, tokens["refresh_token"]).headers["Cache-Control"] == "no-store"


def test_a_repeat_within_the_grace_from_the_same_client_gets_the_same_answer(client):
    first = logged_in(client, **{"User-Agent": "phone"})
    again = [refreshed(client, first["refresh_token"], **{"User-Agent": "phone"}) for _ in range(2)]
    assert [answer.status_code for answer in again] == [200, 200]
    assert again[0].json["refresh_token"] == again[1].json["refresh_token"]


def test_a_repeat_from_another_client_ends_the_session(client):
    first = logged_in(client, **{"User-Agent": "phone"})
    second = refreshed(client, first["refresh_token"], **{"User-Agent": "phone"}).json
    assert_problem(refreshed(client, first["refresh_token"], **{"User-Agent": "thief"}), 401)
    assert_problem(client.get(ME, headers=bearer(second)), 401, code="auth.session_ended")
    assert_problem(refreshed(client, second["refresh_token"], **{"User-Agent": "phone"}), 401)


def test_a_repeat_after_the_grace_ends_the_session(client, settings):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        first = logged_in(client)
        second = refreshed(client, first["refresh_token"]).json
        clock.shift(settings.refresh_grace_seconds + 1)
        assert_problem(refreshed(client, first["refresh_token"]), 401)
        assert_problem(client.get(ME, headers=bearer(second)), 401, code="auth.session_ended")


def test_an_old_generation_ends_the_session_even_within_the_grace(client):
    first = logged_in(client)
    second = refreshed(client, first["refresh_token"]).json
    third = refreshed(client, second["refresh_token"]).json
    assert_problem(refreshed(client, first["refresh_token"]), 401)
    assert client.get(ME, headers=bearer(third)).status_code == 401


def test_a_session_that_no_one_refreshes_ends(client, settings):
    with time_machine.travel("2026-12-01T09:00:00Z", tick=False) as clock:
        tokens = logged_in(client)
        clock.shift(settings.refresh_token_days * 24 * 3600 + 1)
        assert_problem(refreshed(client, tokens["refresh_token"]), 401)


def test_parallel_refreshes_all_get_one_successor(client, app):
    tokens = logged_in(client)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: refreshed(app.test_client(), tokens["refresh_token"]), range(8)))
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    assert len({answer.json["refresh_token"] for answer in answers}) == 1
    assert client.get(ME, headers=bearer(answers[0].json)).status_code == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda token: token[:-1],
        lambda token: token + "A",
        lambda token: "A" + token[1:],
        lambda token: token[:-3] + ("AAA" if token[-3:] != "AAA" else "BBB"),
        lambda token: token.swapcase(),
        lambda token: f" {token}",
        lambda token: token.replace("-", "+").replace("_", "/") + "\n",
        lambda token: "ü",
    ],
)
def test_a_spoilt_refresh_token_is_refused_and_ends_nothing(client, spoil):
    tokens = logged_in(client)
    assert_problem(refreshed(client, spoil(tokens["refresh_token"])), 401)
    assert client.get(ME, headers=bearer(tokens)).status_code == 200


def test_a_disabled_account_cannot_refresh(client):
    user = UserFactory()
    tokens = logged_in(client, user)
    user.write(disabled_at=user.created_at)
    assert_problem(refreshed(client, tokens["refresh_token"]), 401)


def test_what_is_published_verifies_our_tokens(client):
    tokens = logged_in(client)
    published = client.get("/.well-known/jwks.json").json["keys"]
    keys = {key["kid"]: jwt.PyJWK(key) for key in published}
    kid = jwt.get_unverified_header(tokens["access_token"])["kid"]
    claims = jwt.decode(tokens["access_token"], keys[kid], ["EdDSA"], audience="taskmanager-api", issuer="taskmanager")
    assert claims["type"] == "access"
    assert all("d" not in key for key in published)
