"""More connections than threads, to a real gunicorn: each gets its answer, also while work hangs and at the end."""

import signal
import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import psutil
import pytest
import requests
from pymongo.uri_parser import parse_uri

from taskmanager.embedded import ports
from tests.failpoints import failpoint
from tests.faults.stack import eventually
from tests.web_server import WebServer

SLOTS = 4
CONNECTIONS = 30
LIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"


def made(settings, folder, **changes):
    return WebServer(settings, folder / "log", web_processes=1, web_threads=SLOTS, **changes)


@pytest.fixture(scope="module")
def small(app, settings, tmp_path_factory):
    server = made(settings, tmp_path_factory.mktemp("many"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def ask(scene):
    """A function that sends a request for a task, which reads the database."""
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    return lambda server: requests.get(server.url + scene.task_path, headers=headers, timeout=60)


@contextmanager
def hanging(settings, milliseconds):
    """Let the database take its time for each read of the servers of the tests."""
    name = parse_uri(settings.mongodb_uri)["options"]["appname"]
    with failpoint("find", "aggregate", blockConnection=True, blockTimeMS=milliseconds, appName=f"gunicorn_{name}"):
        yield


def worker(server):
    (found,) = psutil.Process(server._process.pid).children()
    return found


def accepted(server):
    """How many connections of clients the server has."""
    found = worker(server).net_connections("tcp")
    return sum(each.status == psutil.CONN_ESTABLISHED and each.laddr.port == server.port for each in found)


def connect(server):
    return socket.create_connection((ports.LOCALHOST, server.port), timeout=60)


def test_connections_take_no_more_threads_than_may_work(small, settings, ask):
    assert ask(small).ok
    before = worker(small).num_threads()
    with hanging(settings, 300), ThreadPoolExecutor(CONNECTIONS) as pool:
        answers = [pool.submit(ask, small) for _ in range(CONNECTIONS)]
        most = 0
        while not all(answer.done() for answer in answers):
            most = max(most, worker(small).num_threads())
            time.sleep(0.01)  # between two looks at the threads
    assert {answer.result().status_code for answer in answers} <= {200, 503}
    assert most <= before + SLOTS, f"{most} threads; {before} before"


def test_probes_are_answered_while_all_work_hangs(small, settings, ask):
    with ThreadPoolExecutor(CONNECTIONS) as pool, requests.Session() as kept:
        with hanging(settings, 1_500):
            answers = [pool.submit(ask, small) for _ in range(CONNECTIONS)]
            eventually(lambda: accepted(small) >= CONNECTIONS)
            for method in ("GET", "HEAD", "GET"):
                assert requests.request(method, f"{small.url}/health/live", timeout=60).ok
                assert kept.request(method, f"{small.url}/health/live", timeout=60).ok
            assert not any(answer.done() for answer in answers)
        assert {answer.result().status_code for answer in answers} <= {200, 503}
    assert ask(small).ok


def test_requests_that_come_together_are_answered_in_their_order(small):
    missing = b"GET /missing HTTP/1.1\r\nHost: a\r\n\r\n"
    post = b"POST /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n0123456789"
    with connect(small) as client:
        client.sendall((LIVE + post + missing) * 5)
        client.shutdown(socket.SHUT_WR)
        received = b"".join(iter(lambda: client.recv(65_536), b""))
    statuses = [part.split(b" ", 1)[0] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"405", b"404"] * 5


def test_a_client_that_waits_to_be_told_to_send_its_body_is_told(small):
    with connect(small) as client:
        client.sendall(
            b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            b"Content-Length: 2\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 100")
        client.sendall(b"{}")
        assert client.recv(4096).startswith(b"HTTP/1.1 422")


def test_work_of_a_process_that_ends_is_done(app, settings, tmp_path, ask):
    """Also that of connections which still wait for a thread."""
    server = made(settings, tmp_path)
    try:
        server.start()
        assert ask(server).ok
        process, answers = worker(server), list[Future[requests.Response]]()
        with hanging(settings, 400), ThreadPoolExecutor(2 * SLOTS) as pool:
            answers += [pool.submit(ask, server) for _ in range(2 * SLOTS)]
            eventually(lambda: accepted(server) >= 2 * SLOTS)
            server._process.send_signal(signal.SIGTERM)
            assert [answer.result().status_code for answer in answers] == [200] * len(answers)
        assert server._process.wait(60) == 0
        assert not process.is_running() and not server.faults()
    finally:
        server.stop()
