"""`make demo`: the main job against a running service, step by step, as any client would do it."""

import email
import email.policy
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
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
        """Return the JSON of the answer and its ETag. Raises Misconfigured with the service's own words."""
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
    """Register two people, make a project that both join, assign a task to the second, show the mail that arrives."""
    password, mark, mails = secrets.token_urlsafe(16), secrets.token_hex(4), settings.data_dir / "mail"
    ann_address, ben_address = f"ann.{mark}@example.com", f"ben.{mark}@example.com"
    ann = _registered(settings, "Ann", ann_address, password)
    ben = _registered(settings, "Ben", ben_address, password)
    project = _step("Ann creates a project", ann.send("POST", "/projects", {"key": _key(), "name": "Demonstration"}))
    path = f"/projects/{project['id']}"
    body = {"email": ben_address, "role": "member"}
    _step("Ann invites Ben, who gets a mail", ann.send("POST", f"{path}/members", body))
    token = {"token": _token_in(_mail_to(ben_address, mails, "invites you"))}
    member = _step("Ben accepts with the token in it", ben.send("POST", "/invitations/accept", token))
    answer = ann.send("POST", f"{path}/tasks", {"title": "Write the invitation"})
    task = _step("Ann creates a task", answer)
    assigned = {"assignee_ids": [member["user_id"]]}
    answer = ann.send("PATCH", f"/tasks/{task['id']}", assigned, **{"If-Match": answer[1]})
    _step("Ann assigns the task to Ben", answer)
    print(f"\nThe mail that a worker sent to Ben:\n\n{_mail_to(ben_address, mails, 'assigned')}")


def _registered(settings: Settings, name: str, address: str, password: str) -> Client:
    """Register a user who is logged in from then on."""
    client = Client(local_url(settings))
    _step(f"{name} registers", client.send("POST", "/auth/register", _person(address, password, name)))
    client.log_in(address, password)
    return client


def _key() -> str:
    return "D" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(5))


def _token_in(mail: str) -> str:
    """Return the one-time token in a mail. Raises Misconfigured when there is none."""
    found = re.search(r'"(tc_[\w-]+)"', mail)
    if found is None:
        raise Misconfigured(f"No token is in this mail:\n{mail}")
    return found[1]


def _person(address: str, password: str, name: str) -> dict[str, Any]:
    return {"email": address, "password": password, "name": name}


def _step(what: str, answer: tuple[dict[str, Any], str]) -> dict[str, Any]:
    body, _ = answer
    print(f"{what}: {body.get('key') or body.get('id') or 'done'}")
    return body


def _mail_to(address: str, folder: Path, words: str) -> str:
    """Return the newest message to `address` that has these words, awaited for a moment."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for path in sorted(folder.glob(f"*_{address}_*.eml"), reverse=True):
            if words in (text := _readable(path)):
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
