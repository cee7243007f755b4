"""A flood of tokens that are good no more costs the database next to nothing, and does not hold up others."""

from contextvars import Context
from datetime import timedelta

import pytest

from taskmanager.core.clock import iso, now
from taskmanager.core.servers.stores import cache_store
from taskmanager.core.storage.database import capacity, database
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.web.counting import commands

ME, TOKENS = "/api/v1/users/me", "/api/v1/users/me/tokens"
ANY = {"If-Match": "*"}


@pytest.fixture
def app(other_app):
    return other_app(ratelimit_enabled=True)


def session_that_ended(person):
    assert person.post("/api/v1/auth/logout").status_code == 204
    return person.environ_base["HTTP_AUTHORIZATION"]


def revoked_token(person):
    body = {"name": "T", "scopes": ["profile:read"], "expires_at": iso(now() + timedelta(days=9))}
    made = person.post(TOKENS, json=body)
    assert person.delete(f"{TOKENS}/{made.json['id']}", headers=ANY).status_code == 204
    return f"Bearer {made.json['token']}"


def account_that_is_gone(person):
    User.objects(id=person.user.id).delete()
    return person.environ_base["HTTP_AUTHORIZATION"]


KINDS = [session_that_ended, revoked_token, account_that_is_gone]


def flood(client, token, times=30):
    """How many commands the database got, and the answers."""
    with commands.counting() as seen:
        statuses = {
            client.get(
                ME, headers={"Authorization": token}, environ_overrides={"REMOTE_ADDR": f"192.0.2.{number}"}
            ).status_code
            for number in range(times)
        }
    return len(seen), statuses


@pytest.mark.parametrize("cache", ["there", "emptied", "away"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_of_a_dead_token_asks_the_database_once(app, change_settings, kind, cache):
    token = kind(sign_in(app, UserFactory()))
    if cache == "emptied":
        cache_store().flushdb()
    if cache == "away":
        change_settings(cache_url="redis://127.0.0.1:1/0")
    client = app.test_client()
    flood(client, token, 1)
    assert flood(client, token) == (0, {401})


def test_what_is_dead_is_looked_up_again_when_the_rights_of_its_account_change(app):
    """A session is disabled together with its account, and is not kept dead when that is back."""
    person = sign_in(app, UserFactory())
    database()["users"].update_one(
        {"_id": person.user.id}, {"$set": {"disabled_at": now()}, "$inc": {"access_version": 1}}
    )
    cache_store().flushdb()
    assert flood(person, person.environ_base["HTTP_AUTHORIZATION"], 2)[1] == {401}
    body = {"$unset": {"disabled_at": 1}, "$inc": {"access_version": 1}}
    database()["users"].update_one({"_id": person.user.id}, body)
    version = User.objects(id=person.user.id).first().access_version
    cache_store().set(f"tm:access:{person.user.id}", version, ex=10)
    assert person.get(ME).status_code == 200


def test_a_dead_token_waits_for_the_database_only_where_requests_may(app, settings, monkeypatch):
    """Where all slots of the database are taken, the question is not asked beside them."""
    token = session_that_ended(sign_in(app, UserFactory()))
    monkeypatch.setattr("taskmanager.core.storage.capacity._MAX_QUEUE_SECONDS", 0.1)
    capacity.set_threads(1)
    try:
        with capacity.acquire_slot(), commands.counting() as seen:
            answer = Context().run(app.test_client().get, ME, headers={"Authorization": token})
        assert (answer.status_code, seen) == (503, [])
    finally:
        capacity.set_threads(settings.web_threads)
