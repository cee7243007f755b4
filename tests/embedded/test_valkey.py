"""The embedded Valkey in its two roles, with real processes."""

import os
import signal

import pytest
import redis

from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import valkey


@pytest.fixture
def queue(tmp_path):
    server = valkey.ValkeyServer(tmp_path / "queue", role="queue")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def cache(tmp_path):
    server = valkey.ValkeyServer(tmp_path / "cache", role="cache")
    server.start()
    yield server
    server.stop()


def setting(server, name):
    with redis.Redis.from_url(server.uri) as client:
        return client.config_get(name)[name]


def test_the_queue_never_evicts_and_writes_every_command_down(queue):
    assert setting(queue, "maxmemory-policy") == "noeviction"
    assert (setting(queue, "appendonly"), setting(queue, "appendfsync")) == ("yes", "everysec")


def test_the_cache_evicts_and_keeps_nothing(cache):
    assert setting(cache, "maxmemory-policy") == "allkeys-lru"
    assert (setting(cache, "appendonly"), setting(cache, "save")) == ("no", "")
    assert int(setting(cache, "maxmemory")) == 128 * 1024 * 1024


def test_the_queue_survives_kill_9(queue):
    with redis.Redis.from_url(queue.uri) as client:
        client.set("job", "1")
    os.kill(queue.pid, signal.SIGKILL)
    queue.stop()
    queue.start()
    with redis.Redis.from_url(queue.uri) as client:
        assert client.get("job") == b"1"


def test_listens_on_this_machine_only(queue):
    assert setting(queue, "bind") == "127.0.0.1"


def test_refuses_a_folder_in_use(queue):
    with pytest.raises(Misconfigured, match=f"kill {queue.pid}"):
        valkey.ValkeyServer(queue.data_dir).start()
