"""A small HTTP client: requests are encoded once, connections are kept, and each answer's time is noted."""

import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson

from taskmanager.embedded import ports

_PATIENCE_SECONDS = 60
Answer = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class Request:
    """One request of a person."""

    method: str
    path: str
    person: str = ""
    body: Any = None
    etag: str = ""
    kind: str = "application/json"  # of the body

    def encoded(self, port: int, token: str) -> bytes:
        """Return its bytes."""
        body = b"" if self.body is None else orjson.dumps(self.body)
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {ports.LOCALHOST}:{port}"]
        lines += [f"Authorization: Bearer {token}"] if token else []
        if self.body is not None:
            lines += [f"Content-Type: {self.kind}", f"Content-Length: {len(body)}"]
        if self.etag:
            lines.append(f"{'If-Match' if self.method == 'PATCH' else 'If-None-Match'}: {self.etag}")
        return "\r\n".join([*lines, "", ""]).encode() + body


class Connection:
    """One connection, opened again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket:
            self._socket.close()

    def send(self, request: bytes) -> Answer:
        """Return the status, the headers and the body of an answer."""
        try:
            return self._send(request)
        except (ConnectionError, EOFError):
            self._socket = None
            return self._send(request)

    def _send(self, request: bytes) -> Answer:
        if self._socket is None:
            self._socket = socket.create_connection((ports.LOCALHOST, self._port), timeout=_PATIENCE_SECONDS)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.sendall(request)
        data = self._until(b"", lambda found: b"\r\n\r\n" in found)
        head, _, rest = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        status = int(first.split(" ")[1])
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if headers.get("transfer-encoding") == "chunked":
            raise ValueError("an answer of unknown length")
        length = 0 if status in (204, 304) else int(headers.get("content-length", "0"))
        body = self._until(rest, lambda found: len(found) >= length)
        if headers.get("connection", "").lower() == "close":
            self._socket.close()
            self._socket = None
        return status, headers, body

    def _until(self, found: bytes, is_complete: Callable[[bytes], bool]) -> bytes:
        assert self._socket
        parts = [found]
        while not is_complete(b"".join(parts)):
            part = self._socket.recv(262_144)
            if not part:
                raise EOFError
            parts.append(part)
        return b"".join(parts)


@dataclass
class Burst:
    """What a number of requests took."""

    seconds: float
    times: list[float]
    size: int  # bytes of the last body
    wrong: list[tuple[int, bytes]]


def burst(port: int, requests: Sequence[bytes], connections: int, allowed: Collection[int]) -> Burst:
    """Send all requests over so many connections; those with another status are `wrong`."""
    found = Burst(0.0, [], 0, [])
    waiting = iter(requests)
    lock = threading.Lock()

    def work() -> None:
        with Connection(port) as connection:
            while True:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return
                began = time.perf_counter()
                code, _, body = connection.send(request)
                found.times.append(time.perf_counter() - began)
                if code not in allowed:
                    found.wrong.append((code, body[:500]))
                found.size = len(body)

    began = time.perf_counter()
    threads = [threading.Thread(target=work) for _ in range(min(connections, len(requests)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found.seconds = time.perf_counter() - began
    if len(found.times) < len(requests):
        found.wrong.append((0, b"requests without an answer"))
    return found
