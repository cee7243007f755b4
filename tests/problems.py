"""The shape that every error answer has."""

from typing import Any

from werkzeug.test import TestResponse

MEMBERS = {"type", "title", "status", "code", "detail", "instance", "request_id"}


def assert_problem(answer: TestResponse, *statuses: int, code: str | None = None) -> dict[str, Any]:
    """Fail unless `answer` is problem+json by `api.md` with one of these statuses; answers its body."""
    assert answer.status_code in statuses, f"{answer.status_code}: {answer.text[:500]}"
    assert answer.mimetype == "application/problem+json", answer.headers
    body = answer.get_json(force=True)
    assert body.keys() >= MEMBERS, body
    assert body["status"] == answer.status_code
    assert body["request_id"] == answer.headers["X-Request-ID"]
    assert all(isinstance(body[name], str) and body[name] for name in MEMBERS - {"status"}), body
    assert code is None or body["code"] == code, body
    for item in body.get("errors", []):
        assert item.keys() == {"location", "message", "code"}, item
    assert_headers_of(answer)
    return body


def assert_headers_of(answer: TestResponse) -> None:
    """The headers that belong to a status."""
    needed = {401: "WWW-Authenticate", 405: "Allow", 429: "Retry-After", 503: "Retry-After"}
    name = needed.get(answer.status_code)
    assert name is None or answer.headers.get(name), f"{answer.status_code} without {name}"
    assert answer.headers["Cache-Control"] == "no-store"
