"""A program that receives webhooks, well or badly: what `TASKMANAGER_WEBHOOK_ALLOW=127.0.0.1` lets us reach."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from typing import Any, NamedTuple

from taskmanager.embedded import ports
from tests.quiet_server import QuietHandler, QuietServer

LARGE = 10_000_000


class Received(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


class Receiver:
    """Keeps what it gets. The path says how it answers: `/ok`, `/status/503`, `/slow`, `/drip`, `/garbage` …"""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status: int | None = None  # instead of what the path says
        self.delay = 0.0
        self.meanwhile: Callable[[], object] = _nothing  # what happens before it answers
        self.most_at_once, self._now = 0, 0
        self._lock = threading.Lock()
        self._server: Any = None

    @property
    def url(self) -> str:
        return f"http://{ports.LOCALHOST}:{self._server.server_port}"

    def open(self) -> None:
        receiver = self

        class Handler(QuietHandler):
            def do_POST(self) -> None:
                self.sent = body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                with receiver._lock:
                    receiver.received.append(Received(self.path, headers, body))
                    receiver._now += 1
                    receiver.most_at_once = max(receiver.most_at_once, receiver._now)
                time.sleep(receiver.delay)
                receiver.meanwhile()
                with receiver._lock:
                    receiver._now -= 1
                with suppress(OSError):  # they hung up
                    _answer(self, receiver.status)

        self._server = QuietServer(Handler)

    def close(self) -> None:
        self._server.close()

    def empty(self) -> None:
        self.received.clear()
        self.status, self.delay, self.meanwhile, self.most_at_once = None, 0.0, _nothing, 0


def _nothing() -> None:
    """Nothing happens."""


def _answer(handler: BaseHTTPRequestHandler, status: int | None) -> None:
    how = handler.path.strip("/").split("/")
    if status is not None or how[0] in ("ok", "status"):
        return _plain(handler, status or (int(how[1]) if len(how) > 1 else 204))
    return _BAD[how[0]](handler)


def _plain(handler: BaseHTTPRequestHandler, status: int) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _echo(handler: Any) -> None:
    """Refuse what was sent, and say it again."""
    handler.send_response(400)
    handler.send_header("Content-Length", str(len(handler.sent)))
    handler.end_headers()
    handler.wfile.write(handler.sent)


def _redirect(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "/ok")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def _slow(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(120)  # beyond every bound that a test of slowness sets, on a slow machine too; no one waits for it
    _plain(handler, 200)


def _drip(handler: BaseHTTPRequestHandler) -> None:
    """A byte at a time: no single wait is long."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for _ in range(1200):
        handler.wfile.write(b"X: y\r\n")
        handler.wfile.flush()
        time.sleep(0.1)


def _large(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(LARGE))
    handler.end_headers()
    for _ in range(LARGE // 100_000):
        handler.wfile.write(b"x" * 100_000)


def _endless(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000)


def _reset(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()


_BAD: dict[str, Any] = {
    "echo": _echo,
    "redirect": _redirect,
    "slow": _slow,
    "drip": _drip,
    "large": _large,
    "endless": _endless,
    "reset": _reset,
    "garbage": lambda handler: handler.wfile.write(b"\x00\xff not HTTP at all\r\n\r\n"),
    "silent": lambda handler: handler.connection.close(),
    "zero": lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nA.$b\x00: \x00\xff\r\n\r\n\x00\xff"),
}
