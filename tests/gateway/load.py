"""A steady load through the gateway: people with connections that stay open, who read and write."""

import http.client
import json
import secrets
import threading
import time
from collections import Counter
from typing import Any

from taskmanager.embedded import ports

_PATIENCE_SECONDS = 60
# A client may find an idle connection closed, as RFC 9112 (9.3.1, 9.5) says, and then repeats what it may repeat.
_CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Person:
    """One client with one connection, which counts the outcomes of its requests."""

    def __init__(self, port: int, token: str, project: str, pause: float = 0.0) -> None:
        """Pause for these seconds after each round of requests."""
        self._port, self._token, self._project, self._pause = port, token, project, pause
        self._connection: http.client.HTTPConnection | None = None
        self.outcomes: Counter[str] = Counter()
        self.created: list[str] = []
        self.reopened = 0
        self.slowest = 0.0

    def work(self, over: threading.Event) -> None:
        """Read a list, create a task, read it, change it … until it is over."""
        while not over.wait(self._pause):
            status, body = self._send("POST", f"/api/v1/projects/{self._project}/tasks", {"title": "Load"})
            if status == 201:
                self.created.append(body["id"])
                path = f"/api/v1/tasks/{body['id']}"
                self._send("GET", path)
                self._send("PATCH", path, {"title": "Changed"})
                self._send("PUT", f"{path}/completion")
            self._send("GET", f"/api/v1/projects/{self._project}/tasks?limit=5")
            self._send("GET", "/api/v1/users/me")

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _send(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        if method in ("PATCH", "PUT"):
            headers |= {"If-Match": "*"}
        if method in ("POST", "PATCH", "PUT"):
            headers |= {"Idempotency-Key": secrets.token_hex(16)}
        started = time.monotonic()
        status, answer = self._exchange(method, path, json.dumps(body) if body else None, headers)
        self.slowest = max(self.slowest, time.monotonic() - started)
        self.outcomes[f"{method} {status}"] += 1
        return status, answer

    def _exchange(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, Any]:
        for attempt in range(2):
            try:
                if self._connection is None:
                    self._connection = http.client.HTTPConnection(
                        ports.LOCALHOST, self._port, timeout=_PATIENCE_SECONDS
                    )
                self._connection.request(method, path, body, headers)
                answer = self._connection.getresponse()
                content = answer.read()
                return answer.status, json.loads(content) if content else None
            except _CLOSED:
                self.close()
                self.reopened += 1
                if attempt:
                    return 0, None
        return 0, None


class Load:
    """Several people who work at once."""

    def __init__(self, people: list[Person]) -> None:
        self.people, self._over = people, threading.Event()
        self._threads = [threading.Thread(target=one.work, args=(self._over,), daemon=True) for one in people]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(_PATIENCE_SECONDS)
        for one in self.people:
            one.close()

    @property
    def outcomes(self) -> Counter[str]:
        """Return how often each method and status came; status 0 when there was no response."""
        return sum((one.outcomes for one in self.people), Counter())

    @property
    def number(self) -> int:
        """Return the number of requests."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> dict[str, int]:
        """Return the outcomes that are no success."""
        return {what: number for what, number in self.outcomes.items() if not what.split()[1].startswith("2")}
