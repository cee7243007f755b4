"""Who is counted: the account of a good token, else the address, of IPv6 a whole /64; and all accounts behind one."""

from datetime import timedelta

import pytest

from taskmanager.core.clock import iso, now
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, UserFactory

LOGIN, ME, TOKENS = "/api/v1/auth/login", "/api/v1/users/me", "/api/v1/users/me/tokens"
HERE, THERE = "198.51.100.7", "203.0.113.9"


@pytest.fixture
def limited(other_app):
    """Makes an application with limits, low where a test says so."""
    return lambda **changes: other_app(ratelimit_enabled=True, **changes)


def get(client, address, token=None):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.get(ME, headers=headers, environ_overrides={"REMOTE_ADDR": address})


def spend(app, token, times=10):
    """Use a token that is good no more, from an address of its own."""
    client = app.test_client()
    return [get(client, THERE, token).status_code for _ in range(times)]


def test_the_token_of_a_session_that_has_ended_uses_up_nothing_of_its_owners(limited):
    app = limited(ratelimit_default="8/minute")
    user = UserFactory()
    ended, person = sign_in(app, user), sign_in(app, user)
    token = ended.environ_base["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
    assert ended.post("/api/v1/auth/logout").status_code == 204
    assert spend(app, token) == [401] * 8 + [429] * 2
    assert get(person, HERE).status_code == 200


def test_an_api_token_that_was_revoked_uses_up_nothing_of_its_owners(limited):
    app = limited(ratelimit_default="8/minute")
    person = sign_in(app, UserFactory())
    body = {"name": "T", "scopes": ["profile:read"], "expires_at": iso(now() + timedelta(days=9))}
    made = person.post(TOKENS, json=body)
    assert person.delete(f"{TOKENS}/{made.json['id']}", headers={"If-Match": "*"}).status_code == 204
    assert spend(app, made.json["token"]) == [401] * 8 + [429] * 2
    assert get(person, HERE).status_code == 200


def test_a_good_token_is_counted_for_its_account_wherever_it_is_used(limited):
    app = limited(ratelimit_default="4/minute")
    person = sign_in(app, UserFactory())
    assert [get(person, f"198.51.100.{number}").status_code for number in range(5)] == [200] * 4 + [429]


@pytest.mark.parametrize("other", ["2001:db8:0:1::2", "2001:db8:0:1:ffff:ffff:ffff:ffff"])
def test_all_addresses_of_one_network_are_counted_as_one(limited, other):
    client = limited(ratelimit_default="3/minute").test_client()
    assert [get(client, "2001:db8:0:1::1").status_code for _ in range(4)] == [401] * 3 + [429]
    assert get(client, other).status_code == 429
    assert get(client, "2001:db8:0:2::1").status_code == 401


def login(client, address, email="ada@example.com", password="a wrong password"):
    body = {"email": email, "password": password}
    return client.post(LOGIN, json=body, environ_overrides={"REMOTE_ADDR": address}).status_code


def test_logins_for_an_account_are_locked_for_a_whole_network(client, settings):
    UserFactory(email="ada@example.com")
    for number in range(settings.lockout_failures):
        assert login(client, f"2001:db8:0:1::{number + 1:x}") == 401
    assert login(client, "2001:db8:0:1:9::1") == 429
    assert login(client, "2001:db8:0:2::1") == 401


def test_an_owner_logs_in_from_a_network_that_is_known(client, settings):
    user = UserFactory()
    assert login(client, "2001:db8:0:1::1", user.email, "correct horse battery staple") == 200
    for number in range(settings.lockout_failures * 5):
        login(client, f"203.0.113.{number}", user.email)
    assert login(client, "2001:db8:0:1::2", user.email, "correct horse battery staple") == 200
    assert login(client, "2001:db8:0:2::2", user.email, "correct horse battery staple") == 429


def test_the_operator_sets_a_ceiling_for_all_accounts_behind_one_address(limited):
    app = limited(ratelimit_network="6/minute")
    people = [sign_in(app, UserFactory()) for _ in range(4)]
    got = [get(person, HERE).status_code for _ in range(2) for person in people]
    assert got == [200] * 6 + [429] * 2
    assert get(people[0], THERE).status_code == 200


def test_there_is_no_ceiling_unless_the_operator_sets_one(limited):
    app = limited(ratelimit_default="3/minute")
    people = [sign_in(app, UserFactory()) for _ in range(3)]
    assert {get(person, HERE).status_code for _ in range(3) for person in people} == {200}


def test_passwords_of_share_links_have_the_budget_of_secrets(limited):
    app = limited(ratelimit_secret="2/minute")
    owner = UserFactory()
    person, path = sign_in(app, owner), f"/api/v1/projects/{ProjectFactory(owner=owner).id}/share-links"
    body = {"role": "viewer", "password": "some ordinary words"}
    assert [person.post(path, json=body).status_code for _ in range(3)] == [201, 201, 429]
    assert person.post(path, json={"role": "viewer"}).status_code == 201
