"""Requests that are no proper HTTP, over a raw socket to a real gunicorn: refused, and they harm no one."""

import socket

import pytest
import requests

from tests.web_server import WebServer

HOST = b"Host: localhost\r\n"
BROKEN = {
    "no HTTP at all": b"\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
    "an unknown version": b"GET /health/live HTTP/9.9\r\n" + HOST + b"\r\n",
    "a negative length": b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "a length that is no number": b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: 1x\r\n\r\n",
    "two lengths": b"POST /api/v1/auth/login HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
    "length and chunks": b"POST /api/v1/auth/login HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks that are none": b"POST /api/v1/auth/login HTTP/1.1\r\n"
    + HOST
    + b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a space before the colon": b"GET /api/v1/tasks HTTP/1.1\r\n" + HOST + b"Authorization : Bearer x\r\n\r\n",
    "a method of control characters": b"G\x01T /api/v1/tasks HTTP/1.1\r\n" + HOST + b"\r\n",
    "a very long line": b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_framing_is_refused_and_harms_no_one(server: WebServer, name: str):
    answer = _send(server, BROKEN[name])
    status = answer.split(b" ", 2)[1:2]
    assert not answer or status[0].startswith(b"4"), answer[:200]
    assert requests.get(f"{server.url}/health/live", timeout=60).ok


def _send(server: WebServer, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(4096)
        except ConnectionError:
            return b""
