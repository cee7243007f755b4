"""What requests need that no schema can say. schemathesis loads this by `schemathesis.toml`.

Requests that are meant to be valid get what is true only for the moment: a new Idempotency-Key, the newest
revision, an account that is there. Requests that are meant to be refused stay as they are.
"""

import base64
import json
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests
import schemathesis
from hypothesis import strategies
from schemathesis.generation.meta import TestPhase

from taskmanager.core import zones

# `taskmanager up` makes this account by default.
ADMIN_EMAIL = "admin@example.com"
ENDS_SESSIONS = {
    "/api/v1/auth/logout",
    "/api/v1/users/me/sessions/end",
    "/api/v1/users/me/sessions/{session_id}",
    "/api/v1/users/me/password",
    "/api/v1/users/me",
    "/api/v1/users/me/deletion",
}


NAMED_FORMS = ("/position", "/members", "/reminders")  # whose bodies are required to have a `kind`
ACCOUNTS = "/api/v1/users/{user_id}"
UNKNOWN_ID = "65f1c0ffee0123456789abcd"

TOKEN = "SCHEMATHESIS_TOKEN"  # the access token of whoever makes the requests; without one, no one is logged in
ANSWERS = "SCHEMATHESIS_ANSWERS"  # a file that gets a line for each answer: method, path, status, whose token was sent
PART = "SCHEMATHESIS_PART"  # one of so many requests of the coverage phase is made, after the first few of an operation
_FIRST = 2
_proposed: Counter[str] = Counter()  # requests of the coverage phase, by operation


# A part of the names, because all are tried wherever a schema wants one that is not there.
schemathesis.openapi.format("time-zone", strategies.sampled_from(sorted(zones.NAMES)[::50]))


class Login:
    """Sends the token of the environment, and one of a session of its own where a request may end its session.

    A header of the command line would replace what is set here, also where that is to be another.
    """

    def get(self, case: schemathesis.Case, context: Any) -> str:
        return os.environ[TOKEN]

    def set(self, case: schemathesis.Case, data: str, context: Any) -> None:
        ending = case.operation.path in ENDS_SESSIONS
        case.headers = case.headers or {}
        case.headers["Authorization"] = f"Bearer {_session(case.operation.base_url) if ending else data}"


if TOKEN in os.environ:
    schemathesis.auth(refresh_interval=None)(Login)


def _own_id() -> str:
    """The account of the token of the environment."""
    claims = os.environ[TOKEN].split(".")[1]
    return str(json.loads(base64.urlsafe_b64decode(claims + "=="))["sub"])


def _spare(case: schemathesis.Case) -> None:
    """Do nothing to the account that makes the requests: an administrator would end their own session."""
    named: dict[str, Any] = case.path_parameters or {}
    if TOKEN in os.environ and case.operation.path.startswith(ACCOUNTS) and named.get("user_id") == _own_id():
        named["user_id"] = UNKNOWN_ID


@schemathesis.hook
def filter_case(context: Any, case: schemathesis.Case) -> bool:
    """Return whether a request is to be made."""
    if case.meta is None or case.meta.phase.name != TestPhase.COVERAGE:
        return True
    _proposed[case.operation.label] += 1
    later = _proposed[case.operation.label] - _FIRST
    return later <= 0 or later % int(os.environ.get(PART, "1")) == 0


@schemathesis.hook
def after_call(context: Any, case: schemathesis.Case, response: Any) -> None:
    """Called with each answer."""
    sent = (response.request.headers or {}).get("Authorization", "")
    whose = "ours" if sent == f"Bearer {os.environ.get(TOKEN)}" else "another" if sent else "none"
    if case.operation.path.endswith("/stream"):
        whose = "ticket"  # its ticket counts, not the token: see before_call
    assert whose != "ours" or b"auth.session_ended" not in response.content, f"the session of {TOKEN} has ended"
    if ANSWERS not in os.environ:
        return
    with Path(os.environ[ANSWERS]).open("a") as file:
        file.write(f"{case.method} {case.operation.path} {response.status_code} {whose}\n")


@schemathesis.hook
def before_call(context: Any, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    """Called with each request."""
    headers: Any = case.headers or {}
    _spare(case)
    (case.query or {}).pop("fields", None)  # the response has another schema then, as the parameter says
    if case.meta is None or not case.meta.generation.mode.is_positive:
        if case.operation.path.endswith(NAMED_FORMS) and isinstance(case.body, dict) and "kind" not in case.body:
            case.body = {}  # without `kind` alone it is accepted
        return
    if "Idempotency-Key" in headers:  # the same key with another body is a 422
        headers["Idempotency-Key"] = uuid4().hex
    if "If-Match" in headers:  # an ETag of another revision is a 412
        headers["If-Match"] = "*"
    (case.query or {}).pop("cursor", None)  # only the service can sign one, another is a 400
    headers.pop("X-Causal-Token", None)  # the same
    if case.operation.path.endswith("/sync"):
        (case.query or {}).pop("token", None)  # the same
        (case.query or {}).pop("wait", None)  # it does
    if case.operation.path.endswith("/stream"):  # one that opens never ends: a ticket that is unknown
        case.query = {"ticket": uuid4().hex}
    if "custom_fields." in str((case.query or {}).get("sort")):
        case.query.pop("sort")  # one that no project has is a 422
    (case.query or {}).pop("filter", None)  # a language of its own: what it cannot understand is a 422
    if isinstance(case.body, dict):
        case.body = _acceptable(case.body)


def _acceptable(body: dict[str, Any]) -> dict[str, Any]:
    """Only members can be assigned, only accounts can become members, no common password can be set: else a 422."""
    body = _agreeing(body)
    for name in ("password", "new_password"):  # one that is common is a 422
        if isinstance(body.get(name), str):
            body = body | {name: uuid4().hex}
    if str(body.get("email", "")).endswith(".invalid"):  # that of a service account, which gets no mail, is a 422
        body = body | {"email": f"{uuid4().hex}@example.com"}
    if "custom_fields." in str(body.get("sort")):  # one that the project has
        body = body | {"sort": "due_at"}
    if "status" in body:  # of the project's workflow
        body = body | {"status": "open"}
    unknown = {"parent_id": None, "label_ids": [], "custom_fields": {}, "recurrence": None}  # only what the project has
    body = body | {name: value for name, value in unknown.items() if name in body}
    if "assignee_ids" in body:
        return body | {"assignee_ids": []}
    if {"user_id", "email"} & body.keys() and "role" in body:
        named = {"kind": "email"} if "kind" in body else {}  # an invitation is by mail address alone
        return named | {"email": ADMIN_EMAIL, "role": body["role"]}
    if "scopes" in body:  # a token ends within a year, and is for a project that one is in
        soon = datetime.now(UTC) + timedelta(days=30)
        return {name: value for name, value in body.items() if name != "project_id"} | {"expires_at": soon.isoformat()}
    if body.get("expires_at"):  # what is past is a 422
        return body | {"expires_at": "2199-12-31T00:00:00Z"}
    return body


def _agreeing(body: dict[str, Any]) -> dict[str, Any]:
    """Only parts that go together, where that depends on their values: else a 422."""
    if isinstance(body.get("filter"), str):  # a language of its own
        body = body | {"filter": "status = open"}
    if isinstance(body.get("url"), str):  # of a host that there can be, and not here
        body = body | {"url": "https://example.com/hook"}
    if "options" in body and body.get("type") != "select":
        body = {name: value for name, value in body.items() if name != "options"}
    if body.get("at") is not None:  # of a reminder: or the two others, together
        body = {name: value for name, value in body.items() if name not in ("relative_to", "minutes_before")}
    if isinstance(body.get("statuses"), list):  # each key once, and a beginning and an end
        groups = {"todo": "backlog", "done": "done"}
        body = body | {"statuses": [{"key": key, "name": key, "group": group} for key, group in groups.items()]}
    if isinstance(body.get("operations"), list):  # each kind of operation has parts of its own
        body = body | {"operations": [{"op": "complete", "task_id": "65f1c0ffee0123456789abcd"}]}
    return body


def _session(base_url: str) -> str:
    """The access token of a session, and of an account, that no one else uses: it may be about to end."""
    account = {"email": f"{uuid4().hex}@example.com", "password": uuid4().hex}
    auth = f"{base_url.rstrip('/')}/api/v1/auth"
    requests.post(f"{auth}/register", json=account | {"name": "Leaver"}, timeout=60)
    return requests.post(f"{auth}/login", json=account, timeout=60).json()["access_token"]
