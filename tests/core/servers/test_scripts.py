"""Scripts of the cache store give what redis-py's own give, also when the store was emptied or restarted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.exceptions import ResponseError

from taskmanager.core.servers.scripts import FastScript
from taskmanager.embedded.valkey import ValkeyServer

TEXT = "redis.call('INCRBY', KEYS[1], ARGV[1]); return {redis.call('GET', KEYS[1]), KEYS[2], tonumber(ARGV[2]), false}"
KEYS = ["tm:test:script", "tm:test:öther"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A store of its own: other processes of the tests use the common one while scripts and connections end here."""
    server = ValkeyServer(tmp_path_factory.mktemp("scripts"), role="cache")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def store(server: ValkeyServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(server.uri) as made:
        made.flushdb()
        yield made


def test_results_are_those_of_the_library(store):
    fast, slow = FastScript(store, TEXT), store.register_script(TEXT)
    assert fast(KEYS, [2, -7]) == [b"2", KEYS[1].encode(), -7, None]
    assert slow(KEYS, [2, -7]) == [b"4", KEYS[1].encode(), -7, None]


def test_a_store_without_the_script_gets_it(store):
    fast = FastScript(store, TEXT)
    store.script_flush()
    assert [fast(KEYS, [1, 0])[0] for _ in range(2)] == [b"1", b"2"]


def test_a_connection_that_was_closed_is_opened_again(store, server):
    fast = FastScript(store, TEXT)
    fast(KEYS, [1, 0])
    with redis.Redis.from_url(server.uri) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert fast(KEYS, [1, 0])[0] == b"2"


def test_after_an_error_the_next_call_reads_its_own_reply(store):
    failing = FastScript(store, "if ARGV[1] == '1' then return redis.error_reply('ERR no') end return ARGV[1]")
    with pytest.raises(ResponseError):
        failing(KEYS, [1])
    assert failing(KEYS, [2]) == b"2"


def test_threads_share_no_connection(store):
    fast = FastScript(store, "return ARGV[1]")
    with ThreadPoolExecutor(8) as pool:
        assert [int(found) for found in pool.map(lambda number: fast([], [number]), range(2_000))] == list(range(2_000))
