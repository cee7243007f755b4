"""A client of the running web process that measures how long each answer took."""

import http.client
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from typing import Any
from urllib.parse import urlsplit

from taskmanager.core.clock import now
from taskmanager.features.users.models import User
from taskmanager.testing.factories.things import PASSWORD

_numbers = count(1)
_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Answer:
    """What came back, and after how many seconds."""

    status: int
    headers: dict[str, str]
    body: Any
    seconds: float


class WebClient:
    """One person; every request has a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url, self._address = url, urlsplit(url)
        self.email = f"client{next(_numbers)}@example.com"
        self._token = self.id = ""

    def register(self) -> "WebClient":
        """Make the account and log in."""
        body = {"email": self.email, "password": PASSWORD, "name": "Client"}
        made = self.send("POST", "/api/v1/auth/register", body)
        assert made.status == 201
        self.id = made.body["id"]
        answer = self.login()
        assert answer.status == 200, answer
        self._token = answer.body["access_token"]
        return self

    def joins(self, project: str, *, by: "WebClient") -> str:
        """Prove the address, and become a member of a project: invited `by` a user, and accepting; return the id."""
        User.objects(id=self.id).update(set__email_verified_at=now())
        body = {"user_id": self.id, "role": "member"}
        invited = by.send("POST", f"/api/v1/projects/{project}/members", body)
        assert invited.status == 202, invited
        accepted = self.send("POST", f"/api/v1/invitations/{invited.body['id']}/accept")
        assert accepted.status == 200, accepted
        return self.id

    def another(self) -> "WebClient":
        """Another user, who has no account yet."""
        return WebClient(self._url)

    def at(self, url: str) -> "WebClient":
        """The same person, at another web server of the same service."""
        same = WebClient(url)
        same.email, same.id, same._token = self.email, self.id, self._token
        return same

    def login(self, password: str = PASSWORD) -> Answer:
        return self.send("POST", "/api/v1/auth/login", {"email": self.email, "password": password})

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send one request and read its answer."""
        started = time.monotonic()
        connection = http.client.HTTPConnection(
            self._address.hostname or "", self._address.port, timeout=_PATIENCE_SECONDS
        )
        try:
            given = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, _encoded(body), self._headers(body, method) | given)
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        seconds = time.monotonic() - started
        return Answer(response.status, dict(response.getheaders()), _decoded(content), seconds)

    def get_in_parallel(self, path: str, number: int) -> list[Future[Answer]]:
        """Ask the same many times at once; the answers are in the future."""
        pool = ThreadPoolExecutor(number)
        answers = [pool.submit(self.get, path) for _ in range(number)]
        pool.shutdown(wait=False)
        return answers

    def _headers(self, body: Any, method: str) -> dict[str, str]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind} if body is not None else {}
        return headers | ({"Authorization": f"Bearer {self._token}"} if self._token else {})


def _encoded(body: Any) -> bytes | None:
    return None if body is None else json.dumps(body).encode()


def _decoded(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content
