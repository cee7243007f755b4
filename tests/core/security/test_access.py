"""What processes tell each other about rights through the cache store: the newest stays, whoever comes late."""

from taskmanager.core.security import access
from taskmanager.core.servers.stores import cache_store


def kept(user):
    return int(cache_store().get(access.key(user.id)))


def test_an_older_version_never_replaces_a_newer_one(caller, monkeypatch):
    """A process that read before a change may write after it; what was revoked would be allowed again."""
    user = caller().user
    access.republish([user.id])
    newest = kept(user) + 5
    monkeypatch.setattr(access.loaders, "versions", lambda ids: dict.fromkeys(ids, newest))
    access.republish([user.id])
    monkeypatch.setattr(access.loaders, "versions", lambda ids: dict.fromkeys(ids, newest - 1))
    access.republish([user.id])
    assert kept(user) == newest


def test_what_is_kept_of_a_version_is_forgotten_soon(caller):
    """An entry that was written wrongly does no harm for long."""
    user = caller().user
    access.republish([user.id])
    assert 0 < cache_store().ttl(access.key(user.id)) <= 10
