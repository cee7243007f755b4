"""Servers that are not what the service needs are known by what they answer, and said in a sentence without a URL."""

from collections.abc import Iterator

import pytest
import redis

from taskmanager.core.servers import server_checks
from taskmanager.core.storage import database
from taskmanager.embedded import valkey
from tests.faults.stack import freeze, thaw

AWAY = "redis://127.0.0.1:1/0"
USERS = {
    "right": ("~*", "&*", "+@all"),
    "narrow": ("~*", "&*", "+@all", "-@scripting"),
    "halfway": ("~*", "&*", "+@all", "-evalsha"),
    "deaf": ("~*", "&*", "+@all", "-subscribe"),
    "documented": ("~*", "&*", "+@all", "-@dangerous", "+info"),  # see docs/operations.md
    "mute": ("~*", "resetchannels", "+@all"),
    "elsewhere": ("~other:*", "&*", "+@all"),
    "reader": ("~*", "&*", "+@read", "+ping"),
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[valkey.ValkeyServer]:
    """A store with users whose password is `word`, and none for who has no name."""
    server = valkey.ValkeyServer(tmp_path_factory.mktemp("store"))
    server.start()
    with redis.Redis.from_url(server.uri) as client:
        for name, rights in USERS.items():
            client.execute_command("ACL", "SETUSER", name, "on", ">word", *rights)
        client.execute_command("ACL", "SETUSER", "default", "off")
    yield server
    server.stop()


@pytest.fixture
def problems(other_app):
    """The problems of an application whose settings differ: check, what is said, and whether it is final."""

    def problems(**changes):
        other_app(**changes)
        return [(found.check, found.sentence, found.final) for found in server_checks.problems()]

    yield problems
    database.disconnect()


def test_what_is_right_has_none(problems, store):
    for name, user in (("queue", "right"), ("cache", "right"), ("queue", "documented"), ("cache", "documented")):
        assert problems(**{f"{name}_url": f"redis://{user}:word@127.0.0.1:{store.port}/0"}) == []
    with redis.Redis.from_url(f"redis://right:word@127.0.0.1:{store.port}/0") as client:
        assert client.keys() == []  # the question leaves nothing behind


@pytest.mark.parametrize("name", ["queue", "cache"])
@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("", "refuses the user or the password"),
        ("right:another@", "refuses the user or the password"),
        ("unknown:word@", "refuses the user or the password"),
        ("narrow:word@", "may not run a command"),
        ("halfway:word@", "may not run a command"),
        ("elsewhere:word@", "may not run a command"),
        ("reader:word@", "may not run a command"),
    ],
)
def test_a_store_that_refuses_is_final(problems, store, name, user, words):
    ((check, sentence, final),) = problems(**{f"{name}_url": f"redis://{user}127.0.0.1:{store.port}/0"})
    assert (check, final) == (name, True)
    assert words in sentence and f"TASKMANAGER_{name.upper()}_URL" in sentence
    assert not any(part in sentence for part in ("127.0.0.1", "word@", "another", "unknown"))


@pytest.mark.parametrize("user", ["mute", "deaf"])
def test_a_queue_that_may_not_publish_or_listen_is_final(problems, store, user):
    ((check, _, final),) = problems(queue_url=f"redis://{user}:word@127.0.0.1:{store.port}/0")
    assert (check, final) == ("queue", True)


def test_a_store_without_a_needed_command_is_final(problems, tmp_path):
    server = Old(tmp_path)
    server.start()
    try:
        for name in ("queue", "cache"):
            ((check, sentence, final),) = problems(**{f"{name}_url": server.uri})
            assert (check, final) == (name, True) and "lacks a command" in sentence
    finally:
        server.stop()


class Old(valkey.ValkeyServer):
    """As an old server that does not know how to run scripts."""

    @property
    def command(self) -> list[str]:
        return [*super().command, "--rename-command", "EVAL", ""]


def test_a_store_that_is_away_or_hangs_may_come_back(problems, tmp_path):
    server = valkey.ValkeyServer(tmp_path)
    server.start()
    freeze(server)
    try:
        for url in (AWAY, server.uri):
            ((check, sentence, final),) = problems(queue_url=url)
            assert (check, final) == ("queue", False) and "does not respond" in sentence
    finally:
        thaw(server)
        server.stop()


def test_a_store_that_is_a_replica_or_full_may_become_well(problems, tmp_path):
    server = valkey.ValkeyServer(tmp_path)
    server.start()
    try:
        with redis.Redis.from_url(server.uri) as client:
            client.config_set("maxmemory", 1)
            assert [found[2] for found in problems(queue_url=server.uri)] == [False]
            client.config_set("maxmemory", 0)
            client.replicaof("127.0.0.1", 1)
            ((_, sentence, final),) = problems(queue_url=server.uri)
            assert "takes no writes" in sentence and not final
    finally:
        server.stop()


def test_a_database_that_is_away_may_come_back(problems):
    ((check, sentence, final),) = problems(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0")
    assert (check, final) == ("database", False) and "does not respond" in sentence


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [("://", "://stranger:S3cretWord@", "refuses the user or the password"), ("rs0", "other", "another set")],
)
def test_a_database_that_refuses_is_final(problems, settings, old, new, words):
    ((check, sentence, final),) = problems(mongodb_uri=settings.mongodb_uri.replace(old, new))
    assert (check, final) == ("database", True) and words in sentence
    assert not any(part in sentence for part in ("127.0.0.1", "S3cretWord", "stranger"))
