"""Each request has an id that is answered, logged and carried on; the log has one line, and no secret."""

import json

import pytest
import requests

from taskmanager.core.events.log import Event
from taskmanager.testing.factories.things import PASSWORD

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd", "A.b_c:d-e", "x" * 128])
def test_a_sane_request_id_is_kept(client, given):
    assert client.get("/health/live", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "a b", "a\tb", "<script>", "x" * 129, "\xff", "{}", "a,b"])
def test_another_is_replaced(client, given):
    made = client.get("/health/live", headers={"X-Request-ID": given}).headers["X-Request-ID"]
    assert made != given
    assert made.isalnum()


def test_each_request_without_an_id_gets_one_of_its_own(client):
    assert len({client.get("/health/live").headers["X-Request-ID"] for _ in range(5)}) == 5


def test_the_request_id_and_the_trace_are_carried_into_the_event(scene):
    """As not sampled: traces are off here, and where they are on, strangers do not decide what is traced."""
    headers = {"X-Request-ID": "mine-1", "traceparent": TRACE}
    made = scene.owner.post(scene.tasks_path, json={"title": "a"}, headers=headers).json
    event = Event.objects(subject_id=made["id"]).first()
    assert dict(event.correlation) == {"request_id": "mine-1", "traceparent": f"{TRACE[:-2]}00"}


def test_a_trace_that_is_none_is_not_carried_on(scene):
    headers = {"traceparent": "nonsense"}
    made = scene.owner.post(scene.tasks_path, json={"title": "a"}, headers=headers).json
    assert "traceparent" not in Event.objects(subject_id=made["id"]).first().correlation


@pytest.mark.parametrize("path", ["/health/live", "/nothing", "/api/v1/users/me"])
def test_browsers_are_told_not_to_guess_the_type(client, path):
    assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


# --- the log, as a real server writes it ----------------------------------------------------------------------


def lines_of(server, request_id):
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    return [line for line in lines if line.get("request_id") == request_id and line.get("message") == "request"]


def test_a_request_is_one_line_that_says_what_and_who_and_how_long(scene, server):
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "X-Request-ID": "logged-1"}
    assert requests.get(server.url + scene.task_path, headers=headers, timeout=60).ok
    [line] = lines_of(server, "logged-1")
    assert (line["http.request.method"], line["route"]) == ("GET", "/api/v1/tasks/<objectid:task_id>")
    assert line["http.response.status_code"] == 200 and line["http.response.body.bytes"] > 100
    assert line["user.id"] == str(scene.owner.user.id)
    assert 0 < line["database_ms"] < line["duration_ms"] < 10_000
    assert line["event.duration"] == int(line["duration_ms"] * 1e6)
    assert line["@timestamp"] and line["log.level"] == "info" and line["client.ip"] == "127.0.0.1"


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/api/v1/users/me", 401), ("/api/v1/tasks/x", 404)])
def test_an_error_is_one_line_too(server, path, status):
    request_id = f"logged-{status}-{len(path)}"
    requests.get(server.url + path, headers={"X-Request-ID": request_id}, timeout=60)
    [line] = lines_of(server, request_id)
    assert line["http.response.status_code"] == status and "user.id" not in line


def test_no_secret_is_ever_logged(scene, server):
    user = scene.owner.user
    tokens = requests.post(
        f"{server.url}/api/v1/auth/login", json={"email": user.email, "password": PASSWORD}, timeout=60
    ).json()
    refresh = requests.post(
        f"{server.url}/api/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}, timeout=60
    ).json()
    for headers in ({"Authorization": "Bearer forged-token-1"}, {"Authorization": f"Bearer {tokens['access_token']}"}):
        requests.get(f"{server.url}/api/v1/users/me?password={PASSWORD}", headers=headers, timeout=60)
    requests.post(f"{server.url}/api/v1/auth/login", data=f'{{"password": "{PASSWORD}"', timeout=60)
    log = server.log.read_text()
    for secret in (PASSWORD, "correct%20horse", "forged-token-1", *tokens.values(), *refresh.values()):
        assert not isinstance(secret, str) or secret == "Bearer" or secret not in log
