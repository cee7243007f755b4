"""`make demo`: the main use case with a running service, step by step, as any client does it."""

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
    """A client of the API for one user."""

    def __init__(self, url: str) -> None:
        self._api = f"{url}/api/v1"
        self._token = ""

    def log_in(self, address: str, password: str) -> None:
        """Log in; all later requests send the access token."""
        body, _ = self.send("POST", "/auth/login", {"email": address, "password": password})
        self._token = body["access_token"]

    def send(self, method: str, path: str, body: dict[str, Any], **headers: str) -> tuple[dict[str, Any], str]:
        """Return the JSON of the response and its ETag. Raises Misconfigured with the body of an error."""
        request = urllib.request.Request(  # noqa: S310 - our own address
            self._api + path, json.dumps(body).encode(), self._headers(method) | headers, method=method
        )
        try:
            with _http.open(request, timeout=10) as response:
                return json.loads(response.read() or b"{}"), response.headers.get("ETag", "")
        except urllib.error.HTTPError as error:
            raise Misconfigured(f"{method} {path} returned {error.code}: {error.read().decode()}") from None
        except OSError as error:
            raise Misconfigured(f"No service responds at {self._api} ({error}): start it with 'make run'.") from None

    def _headers(self, method: str) -> dict[str, str]:
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        return {"Content-Type": kind} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})


def demo(settings: Settings) -> None:
    """Register two users, create a project that both join, assign a task to the second, print the mail that arrives."""
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
    response = ann.send("POST", f"{path}/tasks", {"title": "Write the invitation"})
    task = _step("Ann creates a task", response)
    assigned = {"assignee_ids": [member["user_id"]]}
    response = ann.send("PATCH", f"/tasks/{task['id']}", assigned, **{"If-Match": response[1]})
    _step("Ann assigns the task to Ben", response)
    print(f"\nThe mail that a worker sent to Ben:\n\n{_mail_to(ben_address, mails, 'assigned')}")


def _registered(settings: Settings, name: str, address: str, password: str) -> Client:
    """Register a user; return a client that is logged in."""
    client = Client(local_url(settings))
    _step(f"{name} registers", client.send("POST", "/auth/register", _person(address, password, name)))
    client.log_in(address, password)
    return client


def _key() -> str:
    return "D" + "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(5))


def _token_in(mail: str) -> str:
    """Return the one-time token in a mail. Raises Misconfigured when there is none."""
    found = re.search(r"tc_[\w-]+", mail)
    if found is None:
        raise Misconfigured(f"No token is in this mail:\n{mail}")
    return found[0]


def _person(address: str, password: str, name: str) -> dict[str, Any]:
    return {"email": address, "password": password, "name": name}


def _step(what: str, response: tuple[dict[str, Any], str]) -> dict[str, Any]:
    body, _ = response
    print(f"{what}: {body.get('key') or body.get('id') or 'done'}")
    return body


def _mail_to(address: str, folder: Path, words: str) -> str:
    """Wait up to MAIL_SECONDS for a message to `address` that contains `words`; return the newest one."""
    deadline = time.monotonic() + MAIL_SECONDS
    while time.monotonic() < deadline:
        for path in sorted(folder.glob(f"*_{address}_*.eml"), reverse=True):
            if words in (text := _readable(path)):
                return text
        time.sleep(0.1)
    raise Misconfigured(
        f"No mail to {address} arrived in {folder} within {MAIL_SECONDS} s: see the logs of relay and worker."
    )


def _readable(path: Path) -> str:
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    headers = "".join(f"  {name}: {message[name]}\n" for name in ("From", "To", "Subject"))
    text = message.get_body(("plain", "html"))
    return f"{headers}\n{text.get_content() if text else ''}\n({path})"
