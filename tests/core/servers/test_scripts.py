"""Scripts of the cache store give what redis-py's own give, also when the store was emptied or restarted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import redis
from redis.exceptions import ResponseError, TimeoutError as StoreTimeoutError

from taskmanager.core.servers.scripts import FastScript
from taskmanager.embedded.valkey import ValkeyServer
from tests import drips

TEXT = """
redis.call('INCRBY', KEYS[1], ARGV[1])
return table.concat({redis.call('GET', KEYS[1]), KEYS[2], ARGV[2]}, ' ')
"""
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


def count(found: bytes) -> int:
    return int(found.split()[0])


def test_results_are_those_of_the_library(store):
    fast, slow = FastScript(store, TEXT), store.register_script(TEXT)
    fast(KEYS, [0, 0])  # the store gets it
    assert fast(KEYS, [2, -7]) == f"2 {KEYS[1]} -7".encode()
    assert slow(KEYS, [2, -7]) == f"4 {KEYS[1]} -7".encode()


@pytest.mark.parametrize("size", [0, 1, 4_090, 100_000])
def test_texts_of_any_size_come_whole(store, size):
    fast = FastScript(store, "return string.rep('xyz', ARGV[1])")
    assert [fast([], [size]) for _ in range(3)] == [b"xyz" * size] * 3


@pytest.mark.parametrize("replied", ["false", "7", "{'a', 'b'}", "redis.status_reply('OK')"])
def test_a_reply_that_is_no_text_is_read_by_the_library(store, replied):
    text = f"if ARGV[1] == '1' then return {replied} end return ARGV[1]"
    fast, slow = FastScript(store, text), store.register_script(text)
    assert [fast([], [2]), fast([], [1]), fast([], [2])] == [b"2", slow([], [1]), b"2"]


def test_a_store_without_the_script_gets_it_once(store):
    fast = FastScript(store, TEXT)
    store.script_flush()
    assert [count(fast(KEYS, [1, 0])) for _ in range(3)] == [1, 2, 3]


def test_a_connection_that_was_closed_is_opened_again(store, server):
    fast = FastScript(store, TEXT)
    fast(KEYS, [1, 0])
    fast(KEYS, [1, 0])  # keeps its connection
    with redis.Redis.from_url(server.uri) as other:
        other.client_kill_filter(_type="normal", skipme=True)
    assert count(fast(KEYS, [1, 0])) == 3
    assert count(fast(KEYS, [1, 0])) == 4


def test_connections_that_another_thread_closes_are_opened_again(store):
    fast = FastScript(store, TEXT)
    fast(KEYS, [1, 0])
    fast(KEYS, [1, 0])
    store.connection_pool.disconnect()
    assert [count(fast(KEYS, [1, 0])) for _ in range(2)] == [3, 4]


def test_after_an_error_the_next_call_reads_its_own_reply(store):
    failing = FastScript(store, "if ARGV[1] == '1' then return redis.error_reply('ERR no') end return ARGV[1]")
    assert failing(KEYS, [2]) == b"2"
    with pytest.raises(ResponseError):
        failing(KEYS, [1])
    assert failing(KEYS, [2]) == b"2"


def test_errors_use_up_no_connections(server):
    with redis.Redis.from_url(server.uri, max_connections=2) as store:
        failing = FastScript(store, "return redis.error_reply('ERR no')")
        for _ in range(10):
            with pytest.raises(ResponseError):
                failing([], [1])


def test_a_store_that_hangs_is_an_error_in_time_and_its_late_reply_is_not_read(store, server):
    with redis.Redis.from_url(server.uri, socket_timeout=0.3) as impatient:
        fast = FastScript(impatient, TEXT)
        assert [count(fast(KEYS, [1, 0])) for _ in range(2)] == [1, 2]
        store.execute_command("CLIENT", "PAUSE", 2_000, "WRITE")
        before = store.info("stats")["total_connections_received"]
        with pytest.raises(StoreTimeoutError):
            fast(KEYS, [1, 7])
        assert store.info("stats")["total_connections_received"] == before  # the library did not try, too
        store.execute_command("CLIENT", "UNPAUSE")
        assert fast(KEYS, [1, 8]).endswith(b" 8")


def test_a_reply_in_parts_is_read_whole(store, server):
    direct = FastScript(store, TEXT)
    assert count(direct(KEYS, [1, 0])) == 1
    with drips.in_front_of(server.port) as port, redis.Redis(port=port) as dripping:
        fast = FastScript(dripping, TEXT)
        assert [fast(KEYS, [1, 5]) for _ in range(2)] == [f"{number} {KEYS[1]} 5".encode() for number in (2, 3)]


def test_threads_share_no_connection(store):
    fast = FastScript(store, "return ARGV[1]")
    with ThreadPoolExecutor(8) as pool:
        assert [int(found) for found in pool.map(lambda number: fast([], [number]), range(2_000))] == list(range(2_000))
