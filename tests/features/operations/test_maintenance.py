"""Maintenance: everything can be read, nothing is changed, and it is the same for all processes."""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import requests
from rq import Worker as RqWorker

from taskmanager.core.errors import InMaintenance, Unavailable
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.core.servers import service_state
from taskmanager.core.servers.stores import queue_store
from taskmanager.features.users.models import User
from taskmanager.testing.factories import TaskFactory
from tests.faults.stack import eventually
from tests.features.matrix import PASSWORD, TABLE, V1
from tests.features.test_matrix import views
from tests.pages.browsing import Browser
from tests.workers.conftest import command
from tests.workers.processes import Process

__all__ = ["command"]

pytestmark = pytest.mark.usefixtures("own_process")  # other processes know of a maintenance some seconds later

WORK = {
    "POST /api/v1/auth/login",
    "POST /api/v1/auth/totp",
    "POST /api/v1/auth/refresh",
    "POST /api/v1/auth/logout",
    "POST /api/v1/share-links/open",
    "POST /api/v1/stream/tickets",
    "POST /api/v1/users/me/sessions/end",
    "DELETE /api/v1/users/me/sessions/<session_id>",
    "POST /api/v1/users/<user_id>/sessions/end",
    "PATCH /api/v1/users/<user_id>",  # what takes rights away
    "PUT /api/v1/maintenance",
    "DELETE /api/v1/maintenance",
    "PUT /api/v1/message-of-the-day",
    "DELETE /api/v1/message-of-the-day",
}


@pytest.fixture
def administrator(caller):
    return caller(role="admin")


def test_nothing_can_be_changed_but_everything_read(caller, user, project, administrator):
    client, task = caller(user), TaskFactory(project=project)
    path = f"{V1}/tasks/{task.id}"
    began = administrator.put(f"{V1}/maintenance", json={"message": "We move."})
    assert (began.status_code, began.json["message"], began.json["until"]) == (200, "We move.", None)
    refused = client.patch(path, json={"title": "Other"}, headers={"If-Match": "*"})
    assert (refused.status_code, refused.json["code"]) == (503, "service.maintenance")
    assert refused.content_type == "application/problem+json" and refused.json["detail"].endswith(" We move.")
    assert refused.headers["Retry-After"] == "120"
    assert client.get(path).json["title"] == task.title
    assert client.get(f"{V1}/sync").status_code == 200
    assert administrator.delete(f"{V1}/maintenance").status_code == 204
    assert client.patch(path, json={"title": "Other"}, headers={"If-Match": "*"}).status_code == 200
    kinds = [event.kind for event in Event.objects(stream="service").order_by("seq")]
    assert kinds == ["service.maintenance_begun", "service.maintenance_ended"]


def test_every_route_that_changes_something_is_refused(app, caller, administrator):
    administrator.put(f"{V1}/maintenance")
    admitted = views(app, "in_maintenance")
    writes = [name for name in TABLE if not name.startswith("GET ") and name.split(" ")[1].startswith(V1)]
    assert {name for name in writes if admitted[name]} == WORK
    for name in sorted(writes, key=lambda name: name in WORK):
        method, path = name.split(" ")
        client = caller(role="admin") if name in WORK else administrator  # some of these end the session
        answer = client.open(re.sub(r"<\w+>", str(client.user.id), path), method=method, json={})
        assert (answer.status_code == 503) == (name not in WORK), (name, answer.status_code)


def test_administrators_stop_accounts_and_give_no_rights(caller, administrator):
    """A leaked token is stopped in a maintenance, too; what is no urgent matter waits."""
    token, other = caller(role="admin"), caller(role="admin")
    administrator.put(f"{V1}/maintenance")
    path, every = f"{V1}/users/{token.user.id}", {"If-Match": "*"}
    for change in ({"name": "N"}, {"disabled": False}, {"disabled": True, "name": "N"}, {"role": "admin"}):
        refused = administrator.patch(path, json=change, headers=every)
        assert (refused.status_code, refused.json["code"]) == (503, "service.maintenance"), change
    assert token.get(f"{V1}/users/me").json["name"] == token.user.name
    demoted = administrator.patch(path, json={"role": "user"}, headers=every)
    assert (demoted.status_code, demoted.json["role"]) == (200, "user")
    assert token.get(f"{V1}/users").status_code == 403
    assert administrator.patch(path, json={"disabled": True}, headers=every).status_code == 200
    assert token.get(f"{V1}/users/me").status_code == 401
    assert administrator.patch(path, json={"disabled": False}, headers=every).status_code == 503
    assert other.patch(f"{V1}/users/me", json={"name": "N"}, headers=every).status_code == 503


def test_people_log_in_and_out(client, administrator):
    user = administrator.user
    administrator.put(f"{V1}/maintenance")
    found = client.post(f"{V1}/auth/login", json={"email": user.email, "password": PASSWORD})
    assert found.status_code == 200
    again = client.post(f"{V1}/auth/refresh", json={"refresh_token": found.json["refresh_token"]})
    assert again.status_code == 200
    token = {"Authorization": f"Bearer {again.json['access_token']}"}
    assert client.post(f"{V1}/auth/logout", headers=token).status_code == 204
    refused = client.post(f"{V1}/auth/register", json={"email": "n@example.com", "password": "x" * 20, "name": "N"})
    assert refused.json["code"] == "service.maintenance" and User.objects(email="n@example.com").count() == 0


def test_forms_of_pages_are_refused_in_words(client, user, project, administrator):
    task, browser = TaskFactory(project=project), Browser(client)
    browser.open(f"/pages/tasks/{task.id}").send("Log in", email=user.email, password=PASSWORD)
    assert task.title in browser.text
    administrator.put(f"{V1}/maintenance", json={"until": (datetime.now(UTC) + timedelta(hours=1)).isoformat()})
    assert browser.send("Complete the task").status == 503 and "in maintenance" in browser.text
    assert 3500 < int(browser.headers["Retry-After"]) <= 3600
    browser.open(f"/pages/tasks/{task.id}").send("Log out")
    assert browser.send("Log in", email=user.email, password=PASSWORD).status == 200


def test_the_planned_end_says_when_to_try_again(caller, administrator):
    until = datetime.now(UTC) + timedelta(minutes=10)
    assert administrator.put(f"{V1}/maintenance", json={"until": until.isoformat()}).status_code == 200
    answer = caller().post(f"{V1}/projects", json={"name": "P", "key": "P"})
    assert 500 < int(answer.headers["Retry-After"]) <= 600
    past = administrator.put(f"{V1}/maintenance", json={"until": "2020-01-01T00:00:00Z"})
    assert (past.status_code, past.json["errors"][0]["location"]) == (422, "body.until")


def test_health_and_info_tell_of_it(client, administrator):
    before = client.get(f"{V1}/info")
    assert (before.json["maintenance"], before.json["message_of_the_day"]) == (None, None)
    administrator.put(f"{V1}/maintenance", json={"message": "<b>Moving</b>"})
    administrator.put(f"{V1}/message-of-the-day", json={"text": "Cake & tea at four."})
    tag = {"If-None-Match": before.headers["ETag"]}
    found = client.get(f"{V1}/info", headers=tag).json
    assert found["maintenance"]["message"] == "<b>Moving</b>"
    assert found["message_of_the_day"]["text"] == "Cake & tea at four."
    page = client.get("/", headers={"Accept": "text/html"}).text
    assert "&lt;b&gt;Moving" in page and "Cake &amp; tea" in page
    check = administrator.get("/health").json["checks"]["service:maintenance"][0]
    assert (check["status"], check["observedValue"]) == ("warn", "on")
    assert client.get("/health/ready").status_code == 200
    assert administrator.delete(f"{V1}/message-of-the-day").status_code == 204
    assert client.get(f"{V1}/info").json["message_of_the_day"] is None


@pytest.mark.parametrize("text", ["", " \n ", "x" * 1001, "a\x00b", None])
def test_a_message_has_text(administrator, text):
    answer = administrator.put(f"{V1}/message-of-the-day", json={"text": text})
    assert (answer.status_code, answer.json["errors"][0]["location"]) == (422, "body.text")


def test_all_processes_follow_a_command(settings, server, command, user, caller, project):
    relay, worker = Process("relay", settings), Process("worker", settings)
    token = {"Authorization": caller(user).environ_base["HTTP_AUTHORIZATION"]}

    def write():
        url = f"{server.url}{V1}/projects/{project.id}/tasks"
        return requests.post(url, json={"title": "T"}, headers=token, timeout=60).status_code

    try:
        assert write() == 201
        eventually(lambda: outbox.count_pending() == 0, "the work of relay and worker", 60)
        shown = command("maintenance", "on", "--message", "Moving.", "--until", "30", "--json")
        assert json.loads(shown.stdout)["maintenance"]["message"] == "Moving.", shown.stderr
        eventually(lambda: {write() for _ in range(4)} == {503}, "the refusal by all processes", 30)
        login = {"email": user.email, "password": PASSWORD}
        assert requests.post(f"{server.url}{V1}/auth/login", json=login, timeout=60).status_code == 200
        relay.wait_for("pausing for maintenance")
        eventually(lambda: states() == ["suspended"], "the pause of the worker", 60)
        service_state.reset()  # as a process that has not heard of the maintenance: what it writes waits
        made = caller(user).patch(f"{V1}/users/me", json={"name": "Other"}, headers={"If-Match": "*"})
        assert made.status_code == 200 and outbox.relay_batch() > 0
        assert command("maintenance", "status").stdout == "On.\n"
        assert states() == ["suspended"] and outbox.count_pending() > 0
        assert command("maintenance", "off").stdout == "Off.\n"
        eventually(lambda: {write() for _ in range(4)} == {201}, "the end for all processes", 30)
        eventually(lambda: outbox.count_pending() == 0, "what waited", 60)
    finally:
        relay.kill()
        worker.kill()


def states():
    return [worker.get_state() for worker in RqWorker.all(connection=queue_store())]


def test_what_is_known_stays_while_the_database_is_away(app, administrator, other_app, monkeypatch):
    administrator.put(f"{V1}/maintenance")
    monkeypatch.setattr(service_state, "follows_database", True)
    other_app(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0", mongodb_timeout_ms=200)
    service_state.invalidate()
    assert service_state.is_paused()


def test_no_thread_of_a_new_process_changes_something_while_another_reads(app, administrator, monkeypatch):
    administrator.put(f"{V1}/maintenance")
    monkeypatch.setattr(service_state, "follows_database", True)
    stored = service_state._stored

    def read_slowly():
        time.sleep(0.1)
        return stored()

    monkeypatch.setattr(service_state, "_stored", read_slowly)
    service_state.reset()
    with ThreadPoolExecutor(4) as threads:
        found = [one.exception() for one in [threads.submit(service_state.check_writable) for _ in range(4)]]
    assert {type(error) for error in found} == {InMaintenance}


def test_a_process_that_cannot_read_it_changes_nothing(app, other_app, monkeypatch):
    monkeypatch.setattr(service_state, "follows_database", True)
    service_state.invalidate()
    service_state.check_writable()
    other_app(mongodb_uri="mongodb://127.0.0.1:1/none?replicaSet=rs0", mongodb_timeout_ms=200)
    service_state.invalidate()
    service_state.check_writable()  # what is seconds old holds
    monkeypatch.setattr(service_state, "MAX_AGE_SECONDS", 0.0)
    with pytest.raises(Unavailable):
        service_state.check_writable()
    monkeypatch.undo()
    monkeypatch.setattr(service_state, "follows_database", True)
    service_state.reset()
    assert service_state.is_paused()
    with pytest.raises(Unavailable):
        service_state.check_writable()
