"""Sockets that do what no HTTP library does: wrong requests, slow ones, and servers that break off."""

import itertools
import json
import socket
import threading
from contextlib import suppress
from typing import Any

from taskmanager.embedded import ports


def connect(port: int, source: str = "127.0.0.1") -> socket.socket:
    """Connect from an address of this machine, each of which is another client to the gateway."""
    return socket.create_connection((ports.LOCALHOST, port), timeout=30, source_address=(source, 0))


def exchange(port: int, request: bytes) -> tuple[int, dict[str, str], Any]:
    """Send bytes, and return status, headers and body (JSON) of the response."""
    with connect(port) as sock:
        with suppress(BrokenPipeError, ConnectionResetError):  # it may respond before it has read all
            sock.sendall(request)
        received = b""
        with suppress(ConnectionResetError):
            while part := sock.recv(65536):
                received += part
                head, end, body = received.partition(b"\r\n\r\n")
                if end and len(body) >= _length(head):
                    break
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
    return int(lines[0].split()[1]), headers, json.loads(body)


def _length(head: bytes) -> int:
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return int(lengths[0]) if lengths else 0


class BreakingServer:
    """Reads each request and closes the connection without a response, like a process that dies at work."""

    def __init__(self) -> None:
        self._socket = socket.create_server((ports.LOCALHOST, 0))
        self.address = f"{ports.LOCALHOST}:{self._socket.getsockname()[1]}"
        self.seen: list[str] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop accepting."""
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                with self._socket.accept()[0] as connection:
                    self.seen.append(connection.recv(65536).decode("latin-1").partition(" HTTP")[0])


class BalancedServers:
    """One address for two processes in turn: one breaks off each request, the other responds."""

    def __init__(self) -> None:
        self._socket = socket.create_server((ports.LOCALHOST, 0))
        self.address = f"{ports.LOCALHOST}:{self._socket.getsockname()[1]}"
        self.broken_off = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop accepting."""
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError):
            for number in itertools.count():
                with self._socket.accept()[0] as connection:
                    connection.recv(65536)
                    if number % 2:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    else:
                        self.broken_off += 1


class StreamingServer:
    """Responds with an event, and with another one only when it is told to."""

    def __init__(self) -> None:
        self._socket = socket.create_server((ports.LOCALHOST, 0))
        self.address = f"{ports.LOCALHOST}:{self._socket.getsockname()[1]}"
        self.more = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Stop accepting."""
        self.more.set()
        self._socket.close()

    def _serve(self) -> None:
        with suppress(OSError), self._socket.accept()[0] as connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
            connection.sendall(b"data: first\n\n")
            self.more.wait(30)
            connection.sendall(b"data: second\n\n")
