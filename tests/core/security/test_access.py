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


def test_the_versions_of_many_accounts_take_one_query_at_most(caller, commands):
    known, *others = [caller().user for _ in range(4)]
    ids = [user.id for user in (known, *others)]
    access.republish([known.id])
    cache_store().delete(*(access.key(user.id) for user in others))
    with commands.counted() as sent:
        found = access.present_versions(ids)
    assert sent == ["find"] and found == access.loaders.versions(ids)
    access.republish(ids)
    with commands.counted() as sent:
        assert access.present_versions(ids) == found
    assert sent == []
