"""`make demo`: the main job against a running service, step by step, as any client would do it."""

import email
import email.policy
import json
import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from taskmanager.core.errors import Misconfigured
from taskmanager.core.settings import Settings
from workers.local_url import local_url

MAIL_SECONDS = 15
_http = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Client:
    """One person who talks to the API."""

    def __init__(self, url: str) -> None:
        self._api = f"{url}/api/v1"
        self._token = ""

    def log_in(self, address: str, password: str) -> None:
        """Send the access token with every request from now on."""
        answer, _ = self.send("POST", "/auth/login", {"email": address, "password": password})
        self._token = answer["access_token"]

    def send(self, method: str, path: str, body: dict[str, Any], **headers: str) -> tuple[dict[str, Any], str]:
        """The JSON of the answer and its ETag. Raises Misconfigured with the service's own words."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._api + path, json.dumps(body).encode(), self._headers(method) | headers, method=method
        )
        try:
            with _http.open(request, timeout=10) as answer:
                return json.loads(answer.read() or b"{}"), answer.headers.get("ETag", "")
        except urllib.error.HTTPError as error:
            raise Misconfigured(f"{method} {path} answered {error.code}: {error.read().decode()}") from None
        except OSError as error:
            raise Misconfigured(f"No service answers at {self._api} ({error}): start it with 'make run'.") from None

    def _headers(self, method: str) -> dict[str, str]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return {"Content-Type": kind} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})


def demo(settings: Settings) -> None:
    """Register two people, make a project, assign a task to the second, show the mail that arrives."""
    client, password, mark = Client(local_url(settings)), secrets.token_urlsafe(16), secrets.token_hex(4)
    ann, ben = f"ann.{mark}@example.com", f"ben.{mark}@example.com"
    _step("Ann registers", client.send("POST", "/auth/register", _person(ann, password, "Ann")))
    second = _step("Ben registers", client.send("POST", "/auth/register", _person(ben, password, "Ben")))
    client.log_in(ann, password)
    print("Ann logs in")
    task, etag = _assignable_task(client, ben)
    body = {"assignee_ids": [second["id"]]}
    _step(
        "Ann assigns the task to Ben",
        client.send("PATCH", f"/tasks/{task['id']}", body, **{"If-Match": etag}),
    )
    print(f"\nThe mail that a worker sent to Ben:\n\n{_mail_to(ben, settings.data_dir / 'mail')}")


def _assignable_task(client: Client, colleague: str) -> tuple[dict[str, Any], str]:
    """A task in a new project that `colleague` is a member of."""
    key = "D" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(5))
    project = _step("Ann creates a project", client.send("POST", "/projects", {"key": key, "name": "Demonstration"}))
    path = f"/projects/{project['id']}"
    _step("Ann adds Ben", client.send("POST", f"{path}/members", {"email": colleague, "role": "member"}))
    answer = client.send("POST", f"{path}/tasks", {"title": "Write the invitation"})
    return _step("Ann creates a task", answer), answer[1]


def _person(address: str, password: str, name: str) -> dict[str, Any]:
    return {"email": address, "password": password, "name": name}


def _step(what: str, answer: tuple[dict[str, Any], str]) -> dict[str, Any]:
    body, _ = answer
    print(f"{what}: {body.get('key') or body.get('id') or 'done'}")
    return body


def _mail_to(address: str, folder: Path) -> str:
    """The newest message to `address` about an assignment, awaited for a moment."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for path in sorted(folder.glob(f"*_{address}_*.eml"), reverse=True):
            if "assigned" in (text := _readable(path)):
                return text
        time.sleep(0.1)
    raise Misconfigured(
        f"No mail to {address} came to {folder} within {MAIL_SECONDS} s: see the logs of relay and worker."
    )


def _readable(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    headers = "".join(f"  {name}: {message[name]}\n" for name in ("From", "To", "Subject"))
    text = message.get_body(("plain", "html"))
    return f"{headers}\n{text.get_content() if text else ''}\n({path})"
