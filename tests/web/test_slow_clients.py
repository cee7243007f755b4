"""Clients that are slow, or send what is large and refused, directly on the service: others do not notice."""

import socket
import time
from contextlib import ExitStack, suppress

import pytest
import requests

from tests.web_server import WebServer

# All are far more than the threads of the server. One that reads slowly costs more than the others: the kernel takes
# several responses for it, until they wait.
CLIENTS, READERS = 50, 15
KINDS = {
    "silent": b"",
    "slow head": b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-Slow: ",
    "slow body": b"POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    b'Content-Length: 100\r\n\r\n{"email": ',
    "lingering": b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "half refused": b"POST /health/live HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nx",
    "slow reader": b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 40,
}


@pytest.fixture(scope="module")
def small(app, settings, tmp_path_factory):
    """One process of four threads."""
    server = WebServer(settings, tmp_path_factory.mktemp("slow") / "log", web_processes=1, web_threads=4)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def connect(server, sent, stack):
    client = stack.enter_context(socket.socket())
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.port))
    client.sendall(sent)
    return client


@pytest.mark.parametrize("kind", KINDS)
def test_slow_clients_stop_no_others(small, kind):
    with ExitStack() as stack:
        number = READERS if kind == "slow reader" else CLIENTS
        clients = [connect(small, KINDS[kind], stack) for _ in range(number)]
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            if kind.startswith("slow") and kind != "slow reader":
                for client in clients:
                    with suppress(OSError):  # it was ended, because too many wait
                        client.send(b"x")
            assert requests.get(f"{small.url}/health/live", timeout=60).ok
            assert requests.get(f"{small.url}/.well-known/jwks.json", timeout=60).ok


def test_a_slow_client_gets_its_answer(small):
    with ExitStack() as stack:
        client = connect(small, b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", stack)
        time.sleep(1.5)
        client.sendall(b"\r\n")
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 200") and b'"status":"ok"' in answer


def test_bodies_that_are_refused_are_not_kept(small):
    """Each is in a cycle of references: the error, its traceback, the frame that has the body."""
    body = {"email": "x" * 900_000, "password": "x"}
    before = small.memory()
    codes = {requests.post(f"{small.url}/api/v1/auth/login", json=body, timeout=60).status_code for _ in range(150)}
    grown = (small.memory() - before) / 1e6
    assert (codes, grown < 200) == ({422}, True), f"{grown} MB more"
