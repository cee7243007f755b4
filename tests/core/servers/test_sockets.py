"""The sockets of the database's driver: what a command gets, and when it gives up, is as with the driver's own."""

import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from bson import Binary
from pymongo import MongoClient, timeout
from pymongo.errors import AutoReconnect, NetworkTimeout, PyMongoError

from taskmanager.core.servers.driver import DriverPool
from taskmanager.core.servers.sockets import DriverSocket
from taskmanager.core.storage.database import get_db
from taskmanager.embedded import ports
from taskmanager.embedded.mongod import MongodServer
from tests import drips
from tests.faults.stack import freeze, thaw

ATTEMPT = {"retryReads": False, "retryWrites": False, "serverSelectionTimeoutMS": 5_000, "directConnection": True}


@pytest.fixture
def pair() -> Iterator[tuple[DriverSocket, socket.socket]]:
    one, other = socket.socketpair()
    one.settimeout(0.2)
    with DriverSocket.of(one) as made, other:
        yield made, other


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongodServer]:
    """A server of its own, because it is stopped here while others use the common one."""
    made = MongodServer(tmp_path_factory.mktemp("sockets"), for_tests=True)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def client(server: MongodServer) -> Iterator[MongoClient]:
    with MongoClient(server.uri, _pool_class=DriverPool, **ATTEMPT) as made:
        yield made


def read(sock: DriverSocket, size: int) -> bytes:
    """Return so many bytes, as the driver reads them."""
    buffer = memoryview(bytearray(size))
    done = 0
    while done < size:
        count = sock.recv_into(buffer[done:])
        assert count
        done += count
    return bytes(buffer)


@pytest.mark.parametrize("sent", [1, 7, 16_384, 16_385, 200_000])
def test_parts_of_any_size_are_read_in_their_order(pair, sent):
    sock, other = pair
    data = random.Random(sent).randbytes(300_000)
    sock.settimeout(None)
    sending = threading.Thread(
        target=lambda: [other.sendall(data[start : start + sent]) for start in range(0, len(data), sent)]
    )
    sending.start()
    sizes = [16, 9, 3, 16, 16_384, 16, 16_383, 16, 100_000]
    found = b"".join(read(sock, size) for size in sizes)
    found += read(sock, len(data) - len(found))
    sending.join()
    assert found == data


def test_the_end_is_no_bytes(pair):
    sock, other = pair
    other.sendall(b"last")
    other.close()
    assert read(sock, 4) == b"last"
    assert sock.recv_into(bytearray(4)) == 0


@pytest.mark.parametrize(("seconds", "error"), [(0.2, TimeoutError), (0, BlockingIOError)])
def test_a_read_ends_at_its_timeout(pair, seconds, error):
    sock, _ = pair
    sock.settimeout(seconds)
    begun = time.monotonic()
    with pytest.raises(error):
        sock.recv_into(bytearray(16))
    assert seconds <= time.monotonic() - begun + 0.01


def test_each_wait_has_the_timeout_that_was_set_last(pair):
    sock, other = pair
    for seconds in (0.01, 5, 0.01):
        sock.settimeout(seconds)
        assert sock.gettimeout() == seconds
        if seconds == 5:
            threading.Timer(0.3, other.sendall, [b"x"]).start()
            assert read(sock, 1) == b"x"
        else:
            with pytest.raises(TimeoutError):
                sock.recv_into(bytearray(1))


@pytest.mark.parametrize("step", [1, 3, 100_000, 1_000_000])
@pytest.mark.parametrize("size", [5, 16_384, 16_385, 300_000])
def test_a_message_is_read_whole(pair, step, size):
    sock, other = pair
    message = size.to_bytes(4, "little") + random.Random(size).randbytes(size - 4)
    parts = [message[start : start + step] for start in range(0, min(size, 9), step)] + [message[max(9, step) :]]
    # a moment between the parts, so that they are not read as one
    sending = threading.Thread(target=lambda: [(time.sleep(0.005), other.sendall(part)) for part in parts])
    sending.start()
    sock.settimeout(5)
    assert sock.receive_message(300_000) == message
    sending.join()
    assert sock.gettimeout() == 5


@pytest.mark.parametrize("sent", [b"", b"\1\2", b"\6\0\0\0x", b"\4\0\0\0x", b"\xff\xff\xff\xffx", b"\0\1\1\0x"])
def test_what_is_no_message_is_an_error(pair, sent):
    sock, other = pair
    other.sendall(sent)
    other.close()
    with pytest.raises(ConnectionError):
        sock.receive_message(0xFFFF)


def test_a_message_in_drips_does_not_extend_the_timeout(pair):
    sock, other = pair
    sock.settimeout(0.3)
    stopped = threading.Event()

    def drip() -> None:
        while not stopped.wait(0.05):
            other.sendall(b"\1")

    other.sendall((200).to_bytes(4, "little"))
    dripping = threading.Thread(target=drip)
    dripping.start()
    begun = time.monotonic()
    with pytest.raises(TimeoutError):
        sock.receive_message(1000)
    assert 0.25 < time.monotonic() - begun < 5
    stopped.set()
    dripping.join()


def test_a_send_ends_at_its_timeout(pair):
    sock, _ = pair
    with pytest.raises(TimeoutError):
        sock.sendall(bytes(10_000_000))


def test_a_signal_ends_no_wait(pair):
    sock, other = pair
    sock.settimeout(5)
    handled = []
    former = signal.signal(signal.SIGUSR1, lambda *_: handled.append(True))
    try:
        threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        threading.Timer(0.3, other.sendall, [b"x"]).start()
        assert read(sock, 1) == b"x" and handled
    finally:
        signal.signal(signal.SIGUSR1, former)


def test_the_clients_of_the_service_have_these_sockets(app):
    client = get_db().client
    client.admin.command("ping")
    pools = [server.pool for server in client._topology._servers.values()]
    assert {type(each.conn.get_conn) for pool in pools for each in pool.conns} == {DriverSocket}


@pytest.mark.parametrize("options", [{}, {"compressors": "zlib"}])
@pytest.mark.parametrize("size", [0, 16_300, 16_384, 3_000_000])
def test_documents_of_any_size_come_back(client, server, options, size):
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    with MongoClient(server.uri, _pool_class=DriverPool, **ATTEMPT, **options) as made:
        kept = made.test.kept
        kept.replace_one({"_id": 1}, {"_id": 1, "data": Binary(data)}, upsert=True)
        assert kept.find_one({"_id": 1}) == {"_id": 1, "data": data}
        kept.insert_many([{"number": number} for number in range(3_000)])
        assert sorted(found["number"] for found in kept.find({"number": {"$gte": 0}})) == list(range(3_000))
        kept.drop()


def test_replies_in_drips_are_read_whole(server):
    with (
        drips.in_front_of(server.port, size=3) as port,
        MongoClient(f"mongodb://{ports.LOCALHOST}:{port}", _pool_class=DriverPool, **ATTEMPT) as made,
    ):
        assert made.test.command("ping")["ok"] == 1
        assert made.test.command("buildInfo")["version"]


def test_a_server_that_hangs_is_an_error_in_time_and_its_late_reply_is_not_read(client, server):
    client.test.command("ping")
    freeze(server)
    try:
        begun = time.monotonic()
        with pytest.raises(PyMongoError) as caught, timeout(1):
            client.test.command("ping")
        assert caught.value.timeout and 0.9 < time.monotonic() - begun < 5
    finally:
        thaw(server)
    assert client.test.command("buildInfo")["version"]


def test_the_limit_of_a_socket_holds_without_one_of_the_command(server):
    with MongoClient(server.uri, _pool_class=DriverPool, socketTimeoutMS=700, **ATTEMPT) as made:
        made.test.kept.insert_one({})
        with pytest.raises(NetworkTimeout):
            made.test.kept.find_one({"$where": "sleep(3000) || true"})
        assert made.test.command("ping")["ok"] == 1


def test_a_command_longer_than_the_driver_waits_at_once_gets_its_reply(client):
    client.test.kept.insert_one({})
    assert client.test.kept.find_one({"$where": "sleep(1200) || true"})
    client.test.kept.drop()


def test_a_connection_that_the_server_closed_is_an_error_and_then_opened_again(client):
    client.test.command("ping")
    client.admin.command(
        "configureFailPoint", "failCommand", mode={"times": 1}, data={"failCommands": ["find"], "closeConnection": True}
    )
    with pytest.raises(AutoReconnect):
        client.test.kept.find_one()
    assert client.test.kept.find_one() is None
