"""Sync and stream by the rights that hold, although a process learns of changed rights a moment late."""

import json

import pytest

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.security import access
from taskmanager.core.servers.stores import cache_store
from taskmanager.features.notifications.models import Preferences, ProjectPreferences
from taskmanager.features.sync import live, window
from taskmanager.web.authentication.credentials import claim_of
from tests.features.sync.store import Store
from tests.features.sync.test_sync import ANY, made, scene  # noqa: F401 a fixture


@pytest.fixture
def outdated(scene, own_process):  # noqa: F811
    """A function that changes something, of which this process does not know yet, as if another one had done it."""

    def change(do):
        user_id = scene.member.user.id
        assert scene.member.get("/api/v1/projects").status_code == 200
        before = access.kept(user_id)
        do()
        access._kept[user_id] = before
        cache_store().set(access.key(user_id), before.version, ex=10)

    return change


def listener_of(caller, app, **query):
    with app.app_context():
        return live.listen(claim_of(caller.environ_base["HTTP_AUTHORIZATION"]), **query)


def read(listener):
    """The content of all messages that wait."""
    positions.place_all()
    found = []
    while message := listener.next_message():
        found.append(json.loads(message.partition(b"data: ")[2]))
    return found


def test_a_project_that_was_gained_or_lost_a_moment_ago_is_copied_or_dropped(scene, outdated):  # noqa: F811
    member = Store(scene.member).sync()
    outdated(scene.join)
    assert len(member.sync().of("tasks")) == 1
    outdated(scene.leave)
    assert {"type": "projects", "id": scene.project["id"]} in member.page()["tombstones"]
    assert not member.of("tasks")
    outdated(scene.join)
    assert Store(scene.member).sync().items == member.sync().items and member.of("tasks")
    outdated(scene.leave)
    assert not Store(scene.member).sync().of("tasks")


def test_the_stream_follows_rights_that_changed_a_moment_ago(scene, outdated, app):  # noqa: F811
    listener = listener_of(scene.member, app)
    outdated(scene.join)
    assert [len(one["objects"]["tasks"]) for one in read(listener)] == [1]
    outdated(scene.leave)
    (left,) = read(listener)
    assert left["tombstones"][-1]["type"] == "projects" and not left["objects"]
    outdated(scene.join)
    fresh = listener_of(scene.member, app, project=scene.project["id"])  # sees the project, at a position behind it
    made(scene.owner.post(f"{scene.path}/tasks", json={"title": "Two"}))
    assert [one["title"] for page in read(fresh) for one in page["objects"]["tasks"]] == ["Two"]


def test_a_version_of_the_rights_that_was_read_for_many_hides_no_loss(scene, app):  # noqa: F811
    scene.join()
    listener, latest = listener_of(scene.member, app), window.advanced(None)
    before = access.kept(scene.member.user.id)
    scene.leave()
    made(scene.owner.post(f"{scene.path}/tasks", json={"title": "Secret"}))
    positions.place_all()
    latest = window.advanced(latest)
    access._kept[scene.member.user.id] = before
    listener.know(before.version)
    found = [
        json.loads(message.partition(b"data: ")[2]) for message in iter(lambda: listener.next_message(latest), None)
    ]
    assert not any(page["objects"] for page in found)
    assert found[-1]["tombstones"][-1] == {"type": "projects", "id": scene.project["id"]}


def test_preferences_that_are_gone_are_sent_as_the_defaults(scene):  # noqa: F811
    """The recovery of an account deletes them."""
    owner = Store(scene.owner).sync()
    for path in (f"{scene.path}/notifications", "/api/v1/notifications/preferences"):
        assert scene.owner.patch(path, json={"level": "all"}, headers=ANY).status_code == 200
    Preferences.objects.delete()
    ProjectPreferences.objects.delete()
    assert owner.sync().items == Store(scene.owner).sync().items


def test_a_task_that_was_moved_away_and_purged_is_a_tombstone(scene, deliver):  # noqa: F811
    scene.join()
    member = Store(scene.member).sync()
    other = made(scene.owner.post("/api/v1/projects", json={"key": "OTHER", "name": "Other"}))
    task = f"/api/v1/tasks/{scene.task['id']}"
    assert scene.owner.post(f"{task}/move", json={"project_id": other["id"]}, headers=ANY).status_code == 200
    assert scene.owner.delete(task, headers=ANY).status_code == 204
    assert scene.owner.delete(f"/api/v1/trash/{scene.task['id']}", headers=ANY).status_code == 204
    deliver()
    gone = {"type": "tasks", "id": scene.task["id"], "project_id": scene.project["id"]}
    assert member.page()["tombstones"] == [gone]
    kept = Event.objects(subject_id=scene.task["id"], audited=None)
    assert [(event.kind, event.data) for event in kept] == [("task.moved_out", {"revision": 1})]
