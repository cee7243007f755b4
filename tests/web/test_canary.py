"""What clients send in any place of a request is in no line of the log and in no metric."""

import requests

from tests.faults.stack import eventually

CANARY = "canary7f3a9b2c"
HEADERS = ("Authorization", "Cookie", "User-Agent", "If-Match", "If-None-Match", "Accept", "Origin", "Referer",
           "Idempotency-Key", "X-Forwarded-For", "traceparent", "Accept-Language")  # fmt: skip


def inputs(scene, owner):
    """(method, path, options of `requests`): the canary in each place of a request."""
    login = {"email": f"{CANARY}@example.com", "password": CANARY}
    return [
        ("GET", f"/{CANARY}", {}),
        ("GET", f"/api/v1/tasks/{CANARY}", {"headers": owner}),
        ("GET", scene.tasks_path, {"headers": owner, "params": {"filter": f'title ~ "{CANARY}"'}}),
        ("GET", scene.tasks_path, {"headers": owner, "params": {CANARY: CANARY, "cursor": CANARY}}),
        ("GET", "/api/v1/search", {"headers": owner, "params": {"q": CANARY}}),
        ("POST", scene.tasks_path, {"headers": owner, "json": {"title": CANARY, "description": CANARY}}),
        ("POST", scene.tasks_path, {"headers": owner, "json": {CANARY: CANARY}}),
        ("POST", scene.tasks_path, {"headers": owner, "data": f'{{"title": "{CANARY}'}),
        ("POST", "/api/v1/auth/login", {"json": login}),
        ("POST", "/api/v1/auth/register", {"json": login | {"name": CANARY}}),
        ("POST", "/api/v1/auth/password-reset", {"json": {"email": login["email"]}}),
        ("POST", "/api/v1/auth/refresh", {"json": {"refresh_token": CANARY}}),
        (CANARY.upper(), "/api/v1/tasks", {"headers": owner}),
        *(("GET", "/api/v1/users/me", {"headers": owner | {name: f"Bearer {CANARY}"}}) for name in HEADERS),
    ]


def test_no_input_is_logged_or_counted(scene, server, caller):
    owner = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}
    for method, path, options in inputs(scene, owner):
        assert requests.request(method, server.url + path, timeout=60, **options).status_code < 500
    last = {"X-Request-ID": "the-last-of-the-canaries"}
    requests.get(f"{server.url}/nothing", headers=last, timeout=60)
    eventually(lambda: last["X-Request-ID"] in server.log.read_text(), "the last line of the log")
    assert CANARY not in server.log.read_text().lower()
    token = {"Authorization": caller(role="admin").environ_base["HTTP_AUTHORIZATION"]}
    assert CANARY not in requests.get(f"{server.url}/metrics", headers=token, timeout=60).text.lower()
