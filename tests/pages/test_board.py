"""The board without its script: moves by forms, roles, what others changed meanwhile, and the policy of live pages."""

import re

from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.pages.browsing import Browser

REMOTE = "https://stream.example.com"


def board_of(scene):
    return f"/pages/projects/{scene.project.id}/board"


def move(browser, scene, status, revision, task=None):
    """Send the form of a card, as the browser does."""
    token = re.findall(r'name="form_token" value="([^"]+)"', browser.source)[0]
    data = {"form_token": token, "revision": str(revision), "status": status}
    return browser.open(f"{board_of(scene)}/{(task or scene.task).id}", method="POST", data=data)


def test_a_task_is_moved_once_from_what_the_user_has_seen(scene, log_in):
    browser = log_in(scene.owner.user).open(board_of(scene))
    assert browser.text.index("Open") < browser.text.index(scene.task.title) < browser.text.index("In progress")
    assert move(browser, scene, "in_progress", scene.task.revision).path == board_of(scene)
    task = Task.objects.get(id=scene.task.id)
    assert (task.status, task.status_group) == ("in_progress", "active")
    assert f"Move {task.key} to Done" in browser.source and f"Move {task.key} to Open" in browser.source
    assert move(browser, scene, "done", scene.task.revision).status == 412
    assert "It was changed meanwhile" in browser.text
    assert move(browser, scene, "nothing", task.revision).status == 422
    assert "no such status" in browser.text
    assert Task.objects.get(id=scene.task.id).status == "in_progress"


def test_only_members_who_may_change_tasks_have_buttons_and_strangers_see_no_board(scene, log_in):
    viewer = log_in(User.objects.get(id=scene.member("viewer").user.id)).open(board_of(scene))
    assert scene.task.title in viewer.text and 'name="status"' not in viewer.source
    assert move(viewer, scene, "done", scene.task.revision).status == 403
    stranger = log_in(scene.who("stranger").user).open("/pages")
    assert move(stranger, scene, "done", scene.task.revision).status == 404
    assert stranger.open(board_of(scene)).status == 404
    elsewhere = TaskFactory(project=ProjectFactory(owner=scene.owner.user))
    owner = log_in(scene.owner.user).open(board_of(scene))
    assert move(owner, scene, "done", elsewhere.revision, elsewhere).status == 404
    assert {task.status for task in Task.objects} == {"open"}


def test_a_status_may_be_called_as_a_word_of_filters(scene, log_in):
    groups = {"open": "backlog", "or": "backlog", "not": "active", "null": "done"}
    statuses = [{"key": key, "name": key.title(), "group": group} for key, group in groups.items()]
    replaced = scene.owner.put(f"{scene.project_path}/statuses", json={"statuses": statuses}, headers={"If-Match": "*"})
    assert replaced.status_code == 200, replaced.json
    assert scene.task.title in log_in(scene.owner.user).open(board_of(scene)).text


def test_live_pages_may_connect_to_the_stream_and_no_other_page_may(scene, other_app):
    client = other_app(stream_url=f"{REMOTE}/below").test_client()
    browser = Browser(client).open("/pages/login")
    assert "script-src" not in browser.headers["Content-Security-Policy"]
    browser.send("Log in", email=scene.owner.user.email, password="correct horse battery staple")
    for path in (board_of(scene), f"/pages/tasks/{scene.task.id}"):
        policy = browser.open(path).headers["Content-Security-Policy"]
        assert f"script-src 'self'; connect-src 'self' {REMOTE}" in policy
        assert "default-src 'none'" in policy and "unsafe" not in policy and "/below" not in policy
        (script,) = re.findall(r"<script([^>]*)></script>", browser.source)
        source = re.findall(r'src="([^"]+)"', script)[0]
    found = client.get(source)
    assert found.mimetype == "text/javascript" and "immutable" in found.headers["Cache-Control"]
    token = re.findall(r'data-token="([^"]+)"', browser.source)[0]
    tickets = "/pages/stream-tickets"
    assert client.post(tickets, data={"form_token": "x"}).status_code == 403
    ticket = client.post(tickets, data={"form_token": token})
    assert ticket.status_code == 201 and ticket.headers["Cache-Control"] == "no-store"
    assert ticket.json["url"].startswith(f"{REMOTE}/below/api/v1/stream?ticket=")
    scene.owner.post("/api/v1/users/me/sessions/end", json={"except_current": False})
    assert client.post(tickets, data={"form_token": token}).status_code == 303


def test_the_board_speaks_german(scene, log_in):
    User.objects(id=scene.owner.user.id).update(set__locale="de")
    browser = log_in(User.objects.get(id=scene.owner.user.id))
    text = browser.open(board_of(scene)).source
    assert "Board von" in text and "verschieben" in text and "Nicht verbunden" in text
