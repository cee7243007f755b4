"""Logging in by a provider, against a small real one; and against one that lies, is slow or is down."""

import time

import pytest
from pydantic import SecretStr

from taskmanager.features.users.models import Identity, User
from taskmanager.testing.factories import UserFactory
from tests.features.users.conftest import log_in
from tests.features.users.sso.provider import CLIENT_ID, CLIENT_SECRET
from tests.problems import assert_problem

OIDC = "/api/v1/auth/oidc"
ME = "/api/v1/users/me"


def test_the_first_login_makes_an_account_and_the_next_finds_it(sso):
    first, second = log_in(sso), log_in(sso)
    assert (first.status_code, second.status_code) == (200, 200)
    bearer = {"Authorization": f"Bearer {second.json['access_token']}"}
    me = sso.test_client().get(ME, headers=bearer).json
    assert (me["email"], me["name"]) == ("ada@example.com", "Ada Lovelace")
    assert me["email_verified_at"]
    assert User.objects.count() == 1


def test_in_a_maintenance_who_is_known_logs_in_and_no_account_is_made(sso, caller):
    administrator = caller(role="admin")
    administrator.put("/api/v1/maintenance")
    assert_problem(log_in(sso), 503, "service.maintenance")
    assert User.objects(email="ada@example.com").count() == 0
    administrator.delete("/api/v1/maintenance")
    assert log_in(sso).status_code == 200
    administrator.put("/api/v1/maintenance")
    assert log_in(sso).status_code == 200


def test_an_account_stays_linked_when_the_provider_changes_the_address(sso, provider):
    log_in(sso)
    provider.person["email"] = "lovelace@example.com"
    assert log_in(sso).status_code == 200
    assert User.objects.scalar("email") and User.objects.count() == 1


def test_an_account_with_the_same_confirmed_address_is_joined(sso):
    user = UserFactory(email="ada@example.com")
    assert log_in(sso).status_code == 200
    assert Identity.objects.get().user_id == user.id


def test_an_account_that_has_not_confirmed_the_address_is_not_joined(sso):
    UserFactory(email="ada@example.com", verified=False)
    assert_problem(log_in(sso), 409, code="auth.oidc_email_taken")
    assert Identity.objects.count() == 0


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("word", [False, "false", "yes", 1, None])
def test_an_address_that_the_provider_has_not_confirmed_belongs_to_no_one(sso, provider, known, word):
    if known:
        UserFactory(email="ada@example.com")
    provider.person["email_verified"] = word
    assert_problem(log_in(sso), 401, code="auth.oidc_unverified")
    assert (Identity.objects.count(), User.objects.count()) == (0, int(known))


@pytest.mark.parametrize("word", ["true", "True", True])
def test_an_address_may_be_confirmed_in_text(sso, provider, word):
    provider.person["email_verified"] = word
    assert log_in(sso).status_code == 200


@pytest.fixture
def trusting(other_app, sso, provider):
    """The application with a provider that says nothing about addresses, and is trusted."""
    return other_app(
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT_ID,
        oidc_client_secret=SecretStr(CLIENT_SECRET),
        oidc_trust_email=True,
    )


def test_a_provider_that_says_nothing_is_trusted_where_the_operator_says_so(trusting, provider):
    del provider.person["email_verified"]
    assert log_in(trusting).status_code == 200


@pytest.mark.parametrize("word", [False, "false", "", 0])
def test_a_provider_that_says_no_is_believed_in_any_case(trusting, provider, word):
    provider.person["email_verified"] = word
    assert_problem(log_in(trusting), 401, code="auth.oidc_unverified")


def test_a_trusted_provider_joins_no_account_that_has_not_confirmed_the_address(trusting, provider):
    UserFactory(email="ada@example.com", verified=False)
    del provider.person["email_verified"]
    assert_problem(log_in(trusting), 409, code="auth.oidc_email_taken")


@pytest.mark.parametrize(
    "absent", [{"email", "email_verified"}, {"email_verified"}, {"email", "email_verified", "name"}]
)
def test_an_address_may_be_told_at_the_userinfo_endpoint_alone(sso, provider, absent):
    provider.only_at_userinfo = absent
    assert log_in(sso).status_code == 200
    assert (User.objects.get().email, User.objects.get().name) == ("ada@example.com", "Ada Lovelace")
    assert log_in(sso).status_code == 200


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sub": "p-2"}, "auth.oidc_refused"),
        ({"sub": None}, "auth.oidc_refused"),
        ({"email_verified": False}, "auth.oidc_unverified"),
        ({"email": None}, "auth.oidc_refused"),
    ],
)
def test_what_the_userinfo_endpoint_says_is_checked(sso, provider, changes, code):
    provider.only_at_userinfo, provider.userinfo_changes = {"email", "email_verified"}, changes
    assert_problem(log_in(sso), 401, code=code)
    assert User.objects.count() == 0


def test_a_word_about_another_address_confirms_nothing(sso, provider):
    provider.only_at_userinfo = {"email_verified"}
    provider.userinfo_changes = {"email": "eve@example.com"}
    assert_problem(log_in(sso), 401, code="auth.oidc_unverified")


@pytest.mark.parametrize(
    "changes", [{"email": "not an address"}, {"email": None}, {"email_verified": False}, {"email": ["x"], "name": 7}]
)
def test_who_is_known_is_not_locked_out_by_another_address_at_the_provider(sso, provider, changes):
    assert log_in(sso).status_code == 200
    provider.person |= changes
    assert log_in(sso).status_code == 200
    assert User.objects.get().email == "ada@example.com"


def test_a_client_shows_its_secret_in_the_body_where_the_provider_wants_it_there(sso, provider):
    provider.auth = "post"
    assert log_in(sso).status_code == 200


def test_the_operator_chooses_how_the_secret_is_shown(sso, other_app, provider):
    how = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": SecretStr(CLIENT_SECRET),
        "oidc_client_auth": "post",
    }
    assert_problem(log_in(other_app(**how)), 401, code="auth.oidc_refused")


@pytest.mark.parametrize(
    ("name", "kept"), [("  Ada \x00\r\n Lovelace ", "Ada Lovelace"), ("   ", "ada"), (["x"], "ada"), (None, "ada")]
)
def test_a_name_is_kept_as_far_as_it_can_be_shown(sso, provider, name, kept):
    provider.person["name"] = name
    assert log_in(sso).status_code == 200
    assert User.objects.get().name == kept


@pytest.mark.parametrize(
    ("place", "answer", "status"),
    [
        ("discovery", {}, 503),
        ("discovery", {"error": "x"}, 503),
        ("discovery", {"issuer": "https://elsewhere.example"}, 503),
        ("jwks", {"error": "x"}, 503),
        ("jwks", {"keys": []}, 401),
    ],
)
def test_what_a_provider_said_while_it_was_out_of_order_is_forgotten(sso, provider, place, answer, status):
    provider.instead[place] = answer
    client = sso.test_client()
    broken = client.get(f"{OIDC}/login") if place == "discovery" else log_in(sso)
    assert broken.status_code == status
    provider.instead.clear()
    assert log_in(sso).status_code == 200


def test_a_person_without_an_address_cannot_begin(sso, provider):
    del provider.person["email"]
    assert_problem(log_in(sso), 401, code="auth.oidc_no_email")


def test_a_disabled_account_does_not_log_in(sso):
    log_in(sso)
    User.objects.update(set__disabled_at=User.objects.first().created_at)
    assert_problem(log_in(sso), 401)


def test_no_one_logs_in_with_a_password_to_an_account_that_has_none(sso):
    log_in(sso)
    body = {"email": "ada@example.com", "password": "none"}
    assert sso.test_client().post("/api/v1/auth/login", json=body).status_code == 401


@pytest.mark.parametrize("provider_seconds", [0.5])
def test_a_slow_provider_is_not_waited_for(sso, provider, provider_seconds):
    provider.delay = 120
    started = time.monotonic()
    assert_problem(sso.test_client().get(f"{OIDC}/login"), 503, code="auth.oidc_unavailable")
    assert time.monotonic() - started < 60


def test_a_provider_that_talks_nonsense_or_is_down_is_unavailable(sso, provider):
    provider.garbage = True
    assert_problem(sso.test_client().get(f"{OIDC}/login"), 503, code="auth.oidc_unavailable")
    provider.close()
    assert_problem(sso.test_client().get(f"{OIDC}/login"), 503, code="auth.oidc_unavailable")


def test_clients_learn_whether_there_is_a_provider(sso, client):
    assert sso.test_client().get(OIDC).json == {"enabled": True, "name": "Single sign-on"}


def test_without_a_provider_there_is_nothing(client):
    assert client.get(OIDC).json == {"enabled": False, "name": None}
    assert_problem(client.get(f"{OIDC}/login"), 404)
    assert_problem(client.get(f"{OIDC}/callback?code=x&state=y"), 404)
