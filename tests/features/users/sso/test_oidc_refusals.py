"""Logins by a provider that are refused, whatever the provider, the browser or a stranger sends."""

import time

import pytest
import time_machine
from structlog.testing import capture_logs

from taskmanager.features.users.models import User
from tests.features.users.conftest import begin, log_in
from tests.features.users.sso.provider import CLIENT_SECRET, signing_key
from tests.problems import assert_problem

OIDC = "/api/v1/auth/oidc"


@pytest.mark.parametrize(
    ("changes", "reason", "claim"),
    [
        ({"iss": "https://elsewhere.example"}, "invalid_claim", "iss"),
        ({"aud": "another client"}, "invalid_claim", "aud"),
        ({"nonce": "another login"}, "invalid_claim", "nonce"),
        ({"exp": 1_700_000_000}, "expired_token", "exp"),
        ({"email_verified": False}, "unverified_email", "email_verified"),
        ({"email": "not an address"}, "invalid_claim", ["email"]),
    ],
)
def test_each_refusal_is_logged_with_its_reason_and_without_secrets(sso, provider, changes, reason, claim):
    provider.changes = changes
    with capture_logs() as logs:
        assert log_in(sso).status_code == 401
    told = next(line for line in logs if line["event"] == "login by the provider refused")
    assert (told["reason"], told["claim"]) == (reason, claim)
    assert told["issuer"] == changes.get("iss", provider.issuer) or told["issuer"] == provider.issuer
    if reason == "expired_token":
        assert told["token_exp"] == "1700000000"
        assert told["clock"] > 1_700_000_000
    text = str(logs)
    assert CLIENT_SECRET not in text
    assert "eyJ" not in text  # how each token begins


def test_what_comes_beside_the_id_token_vouches_for_no_one(sso, provider):
    client = sso.test_client()
    back = begin(client)
    provider.tokens = {"access_token": "x", "token_type": "Bearer", "userinfo": provider.person | {"iss": "x"}}
    assert_problem(client.get(back), 401, code="auth.oidc_refused")


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": 7},
        {"sub": "x" * 256},
        {"email": "not an address"},
        {"email": "a" * 300 + "@example.com"},
        {"email": ["ada@example.com"]},
        {"email": "ada@example.com\r\nBcc: eve@example.com"},
    ],
)
def test_claims_that_cannot_be_are_refused(sso, provider, changes):
    provider.person |= changes
    assert_problem(log_in(sso), 401, code="auth.oidc_refused")
    assert User.objects.count() == 0


def test_a_login_that_was_begun_long_ago_is_refused(sso):
    client = sso.test_client()
    back = begin(client)
    with time_machine.travel(time.time() + 601):
        assert_problem(client.get(back), 401, code="auth.oidc_refused")


def test_of_many_logins_that_one_browser_begins_the_newest_can_be_finished(sso):
    client = sso.test_client()
    first = begin(client)
    for _ in range(25):
        last = begin(client)
    assert_problem(client.get(first), 401, code="auth.oidc_refused")
    assert client.get(last).status_code == 200


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another client"},
        {"iss": "https://elsewhere.example"},
        {"nonce": "another login"},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"sub": None},
    ],
)
def test_an_id_token_that_is_not_for_this_login_is_refused(sso, provider, changes):
    provider.changes = changes
    assert_problem(log_in(sso), 401, code="auth.oidc_refused")
    assert User.objects.count() == 0


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_signature_that_anybody_can_make_is_refused(sso, provider, algorithm):
    provider.algorithm = algorithm
    assert_problem(log_in(sso), 401, code="auth.oidc_refused")


def test_a_token_signed_by_another_key_is_refused(sso, provider):
    log_in(sso)  # the provider's key is known now
    provider.key = signing_key(2)
    assert_problem(log_in(sso), 401, code="auth.oidc_refused")


def test_a_callback_without_the_browser_that_began_is_refused(sso):
    assert_problem(sso.test_client().get(begin(sso.test_client())), 401, code="auth.oidc_refused")


def test_a_callback_is_good_once(sso):
    client = sso.test_client()
    back = begin(client)
    assert client.get(back).status_code == 200
    assert_problem(client.get(back), 401, code="auth.oidc_refused")


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=y", "?error=access_denied&state=y"])
def test_a_made_up_callback_is_refused(sso, query):
    assert_problem(sso.test_client().get(f"{OIDC}/callback{query}"), 401, code="auth.oidc_refused")


def test_a_person_who_says_no_is_told_so(sso, provider):
    provider.refuses = True
    assert_problem(log_in(sso), 401, code="auth.oidc_refused")


def test_the_cookie_of_a_login_is_no_ones_but_the_browsers(sso):
    cookie = sso.test_client().get(f"{OIDC}/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
