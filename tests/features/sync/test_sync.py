"""Sync: a copy of what a caller sees, and then what has changed."""

import threading
import time
from contextlib import ExitStack

import pytest
from bson import ObjectId

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import database
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.trash import service as trash
from taskmanager.features.purging import service as purging
from taskmanager.features.sync.waiting import Waiters
from tests.features.sync.store import Store
from tests.moments import from_now

ANY = {"If-Match": "*"}


def made(response, status=201):
    assert response.status_code == status, response.json
    return response.json


@pytest.fixture
def scene(caller):
    """A project of an owner with one of each thing, and another member."""
    owner, member = caller(), caller()
    project = made(owner.post("/api/v1/projects", json={"key": "APP", "name": "App"}))
    path = f"/api/v1/projects/{project['id']}"
    label = made(owner.post(f"{path}/labels", json={"name": "bug"}))
    made(owner.post(f"{path}/custom-fields", json={"key": "points", "name": "Points", "type": "number"}))
    task = made(owner.post(f"{path}/tasks", json={"title": "One", "label_ids": [label["id"]], "due": "2099-01-01"}))
    made(owner.post(f"/api/v1/tasks/{task['id']}/comments", json={"text": "Hello"}))
    reminder = {"relative_to": "due", "minutes_before": 5}
    made(owner.post(f"/api/v1/tasks/{task['id']}/reminders", json=reminder))
    made(owner.post(f"{path}/views", json={"name": "All", "shared": True}))
    made(owner.post("/api/v1/views", json={"name": "Mine"}))
    return Scene(owner, member, project, path, task)


class Scene:
    def __init__(self, owner, member, project, path, task):
        self.owner, self.member, self.project, self.path, self.task = owner, member, project, path, task

    def join(self, role="member"):
        members.join(ObjectId(self.project["id"]), self.member.user.id, role, actor=Actor(self.owner.user.id))

    def leave(self):
        made_ = self.owner.delete(f"{self.path}/members/{self.member.user.id}", headers=ANY)
        assert made_.status_code == 204


ALL = {
    "projects",
    "statuses",
    "members",
    "labels",
    "custom_fields",
    "views",
    "tasks",
    "comments",
    "reminders",
    "preferences",
}


def test_a_full_sync_has_all_in_the_form_of_the_api_whatever_the_pages(scene):
    whole = Store(scene.owner).sync()
    assert {kind for kind, *_ in whole.items} == ALL and len(whole.pages) == 1
    for limit in (1, 2, 3):
        paged = Store(scene.owner, limit=limit).sync()
        assert paged.items == whole.items and max(sum(map(len, p["objects"].values())) for p in paged.pages) <= limit
    got = scene.owner.get(f"/api/v1/tasks/{scene.task['id']}").json
    assert whole.of("tasks") == [got]
    assert whole.of("projects") == [scene.owner.get(scene.path).json]
    assert whole.of("labels") == scene.owner.get(f"{scene.path}/labels").json["items"]
    assert whole.of("members") == scene.owner.get(f"{scene.path}/members").json["items"]
    statuses = scene.owner.get(f"{scene.path}/statuses").json
    assert whole.of("statuses") == [statuses | {"project_id": scene.project["id"]}]
    assert Store(scene.member).sync().of("tasks") == []


def test_what_changes_during_a_full_sync_comes_with_the_first_changes(scene):
    store = Store(scene.owner, limit=1)
    for number in range(9):
        page = store.page()
        made(scene.owner.post(f"{scene.path}/tasks", json={"title": f"New {number}"}))
        scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": f"T{number}"}, headers=ANY)
        assert page["has_more"]
    assert store.sync().items == Store(scene.owner).sync().items


def test_changes_are_sent_once_as_they_are_now_and_only_these(scene):
    store = Store(scene.owner).sync()
    assert not store.page()["objects"]
    for title in ("a", "b", "c"):
        scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": title}, headers=ANY)
    page = store.page()
    assert [item["title"] for item in page["objects"].pop("tasks")] == ["c"] and not page["objects"]
    assert (page["tombstones"], page["has_more"]) == ([], False)
    assert not store.page()["objects"]


def test_what_is_deleted_or_hidden_is_a_tombstone_and_what_returns_comes_with_its_content(scene):
    scene.join()
    owner, member = Store(scene.owner).sync(), Store(scene.member).sync()
    assert len(member.of("tasks")) == 1 == len(member.of("comments"))

    scene.owner.delete(f"/api/v1/tasks/{scene.task['id']}", headers=ANY)
    assert member.page()["tombstones"] == [
        {"type": "tasks", "id": scene.task["id"], "project_id": scene.project["id"]},
    ]
    assert owner.sync().items == Store(scene.owner).sync().items and not owner.of("reminders")
    scene.owner.post(f"/api/v1/tasks/{scene.task['id']}/restore")
    assert owner.sync().items == Store(scene.owner).sync().items and len(owner.of("reminders")) == 1
    assert member.sync().items == Store(scene.member).sync().items and len(member.of("comments")) == 1

    scene.leave()
    assert {"type": "projects", "id": scene.project["id"]} in member.page()["tombstones"]
    assert not member.of("tasks") and member.sync().items == Store(scene.member).sync().items
    scene.join("viewer")
    assert member.sync().items == Store(scene.member).sync().items and len(member.of("tasks")) == 1

    view = owner.of("views")[0] if owner.of("views")[0]["shared"] else owner.of("views")[1]
    changed = scene.owner.patch(f"{scene.path}/views/{view['id']}", json={"shared": False}, headers=ANY)
    assert changed.status_code == 200
    assert member.sync().items == Store(scene.member).sync().items and not member.of("views")

    scene.owner.delete(scene.path, headers=ANY)
    assert {"type": "projects", "id": scene.project["id"]} in member.page()["tombstones"]
    assert member.sync().items == Store(scene.member).sync().items
    scene.owner.post(f"{scene.path}/restore")
    assert member.sync().items == Store(scene.member).sync().items and len(member.of("tasks")) == 1
    assert owner.sync().items == Store(scene.owner).sync().items


def test_a_project_that_is_purged_while_a_client_is_away_is_a_tombstone(scene, deliver):
    scene.join()
    member = Store(scene.member).sync()
    scene.owner.delete(scene.path, headers=ANY)
    project = Project.objects.get(id=scene.project["id"])
    trash.begin_purge(project, None)
    while Project.objects(id=project.id).first():
        purging.purge_due()
    deliver()
    assert {"type": "projects", "id": scene.project["id"]} in member.page()["tombstones"]
    assert not member.of("tasks")


def test_own_changes_are_recognised_by_their_mutation_id(scene):
    scene.join()
    owner, member = Store(scene.owner).sync(), Store(scene.member).sync()
    head = ANY | {"X-Mutation-ID": "phone-1"}
    assert scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=head).status_code == 200
    known = {"mutation_id": "phone-1", "type": "tasks", "id": scene.task["id"]}
    assert (owner.page()["mutations"], member.page()["mutations"]) == ([known], [])
    wrong = ANY | {"X-Mutation-ID": "not sane"}
    refused = scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "y"}, headers=wrong)
    assert (refused.status_code, refused.json["code"]) == (400, "header.mutation_id")


def test_a_token_is_bound_to_account_and_types_and_is_refused_when_it_is_too_old(scene):
    token = Store(scene.owner, types="tasks,projects").sync().token
    ask = lambda client, **query: client.get("/api/v1/sync", query_string=query)  # noqa: E731
    assert ask(scene.owner, token=token).status_code == 200
    assert ask(scene.owner, token=token, types="projects,tasks").status_code == 200
    for client, query in (
        (scene.member, {"token": token}),
        (scene.owner, {"token": token, "types": "tasks"}),
        (scene.owner, {"token": token[:-2] + ("AA" if token[-2:] != "AA" else "BB")}),
        (scene.owner, {"token": "x"}),
        (scene.owner, {"token": "é"}),
    ):
        response = ask(client, **query)
        assert (response.status_code, response.json["code"]) == (400, "sync.token_invalid"), query
    assert ask(scene.owner, types="tasks,nothing").status_code == 422
    positions.place_all()
    positions.raise_floor(positions.head())
    assert ask(scene.owner, token=token).status_code == 200
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY)
    fresh = Store(scene.owner).sync()
    positions.raise_floor(positions.head())
    old = ask(scene.owner, token=token)
    assert (old.status_code, old.json["code"]) == (410, "sync.token_expired")
    assert old.json["start"] == "/api/v1/sync?types=projects,tasks"
    assert ask(scene.owner, token=fresh.token).status_code == 200


def test_scopes_and_tokens_for_one_project_hold(scene, caller):
    other = made(scene.owner.post("/api/v1/projects", json={"key": "OTHER", "name": "Other"}))
    task = made(scene.owner.post(f"/api/v1/projects/{other['id']}/tasks", json={"title": "Secret"}))
    token = {"name": "T", "scopes": ["projects:read", "tasks:read"], "expires_at": from_now(days=30)}
    made_ = made(scene.owner.post("/api/v1/users/me/tokens", json=token | {"project_id": scene.project["id"]}))
    robot = scene.owner.application.test_client()
    robot.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {made_['token']}"
    store = Store(robot).sync()
    assert {kind for kind, *_ in store.items} == ALL - {"members", "comments", "preferences"}
    assert robot.get("/api/v1/sync?types=comments").status_code == 403
    assert robot.get("/api/v1/sync", query_string={"token": Store(scene.owner).sync().token}).status_code == 400
    reminder = {"at": "2099-01-01T00:00:00Z"}
    made(scene.owner.post(f"/api/v1/tasks/{task['id']}/reminders", json=reminder))
    made(scene.owner.post(f"/api/v1/tasks/{task['id']}/comments", json={"text": "Hello"}))
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY)
    page = store.page()
    assert (page["tombstones"], list(page["objects"])) == ([], ["tasks"])
    assert store.sync().items == Store(robot).sync().items


def test_changes_without_a_request_of_their_own_come_too(scene, deliver):
    """Reminders that move with their task, dues that move with the zone, notifications, names of members."""
    scene.join()
    owner, member = Store(scene.owner).sync(), Store(scene.member).sync()
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"due": "2098-01-01"}, headers=ANY)
    scene.owner.patch(
        f"/api/v1/tasks/{scene.task['id']}", json={"assignee_ids": [str(scene.member.user.id)]}, headers=ANY
    )
    scene.owner.patch(scene.path, json={"timezone": "Asia/Tokyo"}, headers=ANY)
    scene.owner.patch("/api/v1/users/me", json={"name": "Another Name"}, headers=ANY)
    scene.member.patch("/api/v1/notifications/preferences", json={"level": "all"}, headers=ANY)
    deliver()
    for store, client in ((owner, scene.owner), (member, scene.member)):
        assert store.sync().items == Store(client).sync().items
    assert len(member.of("notifications")) > 1
    scene.member.put("/api/v1/notifications/read")
    assert all(one["read_at"] for one in member.sync().of("notifications"))
    assert "Another Name" in [one["user"]["name"] for one in member.of("members")]


def test_a_visitor_of_a_share_link_syncs_what_the_link_shows(scene, deliver):
    link = made(scene.owner.post(f"{scene.path}/share-links", json={"role": "viewer"}))
    visitor = scene.owner.application.test_client()
    visitor.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {link['token']}"
    store = Store(visitor).sync()
    assert {kind for kind, *_ in store.items} == ALL - {"members", "reminders", "preferences"}
    scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "x"}, headers=ANY)
    assert store.sync().items == Store(visitor).sync().items
    head = ANY | {"X-Mutation-ID": "of-the-owner"}
    assert scene.owner.patch(scene.path, json={"timezone": "Asia/Tokyo"}, headers=head).status_code == 200
    deliver()  # the system moves the due times, as a consequence
    page = store.page()
    assert page["objects"]["tasks"] and not page["mutations"]


def test_a_page_keeps_its_limit_when_one_event_names_many_objects(scene, deliver):
    scene.join()
    for number in range(3):
        made(
            scene.owner.post(
                f"/api/v1/tasks/{scene.task['id']}/comments", json={"text": f"{number} @{scene.member.user.name}"}
            )
        )
        body = {"title": f"T{number}", "assignee_ids": [str(scene.member.user.id)]}
        made(scene.owner.post(f"{scene.path}/tasks", json=body))
    deliver()
    stores = [Store(scene.member, limit=limit).sync() for limit in (1, 2, 200)]
    assert len(stores[0].of("notifications")) > 2
    scene.member.put("/api/v1/notifications/read", headers={"X-Mutation-ID": "read-all"})
    stores[0].page()
    scene.member.patch(scene.path + "/notifications", json={"level": "all"}, headers=ANY)
    for store in stores:
        store.sync()
        assert all(one["read_at"] for one in store.of("notifications"))
        assert store.items == Store(scene.member).sync().items
        assert {len(page["mutations"]) for page in store.pages[-4:]} != {0}
        sizes = [sum(map(len, page["objects"].values())) for page in store.pages]
        assert max(sizes) <= store.query["limit"], sizes


def test_a_token_for_a_project_that_returns_hears_of_it(scene):
    scene.join()
    token = {"name": "T", "scopes": ["projects:read", "tasks:read"], "expires_at": from_now(days=30)}
    issued = made(scene.member.post("/api/v1/users/me/tokens", json=token | {"project_id": scene.project["id"]}))
    robot = scene.owner.application.test_client()
    robot.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {issued['token']}"
    scene.owner.delete(scene.path, headers=ANY)
    store = Store(robot).sync()
    assert not store.items
    scene.owner.post(f"{scene.path}/restore")
    assert store.sync().items == Store(robot).sync().items and len(store.of("tasks")) == 1


def test_few_requests_of_a_process_and_of_a_caller_wait(change_settings):
    places = Waiters()

    def waiting(threads, *callers):
        change_settings(web_threads=threads)
        with ExitStack() as stack:
            return [stack.enter_context(places.place(caller)) for caller in callers]

    assert waiting(1, "a") == [False]
    assert waiting(2, "a", "b") == [True, False]
    assert waiting(16, "a", "a", "a", "b", "b", "c") == [True, True, False, True, True, False]


def test_a_request_waits_for_a_change(scene):
    store = Store(scene.owner).sync()
    other = scene.owner.application.test_client()
    other.environ_base.update(scene.owner.environ_base)
    timer = threading.Timer(
        0.6, lambda: other.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": "w"}, headers=ANY)
    )
    timer.start()
    begun = time.monotonic()
    page = store.page(wait=20)
    assert [item["title"] for item in page["objects"]["tasks"]] == ["w"] and time.monotonic() - begun < 15
    timer.join()
    begun = time.monotonic()
    assert not store.page(wait=1)["objects"] and 0.9 < time.monotonic() - begun < 10


def test_the_cost_grows_with_the_changes(scene):
    """Keys that are examined: at most three for each change, and one for each stream."""
    for number in range(20):
        made(scene.owner.post("/api/v1/projects", json={"key": f"P{number}", "name": "P"}))
    Store(scene.owner).sync()
    before = positions.head()
    for number in range(10):
        scene.owner.patch(f"/api/v1/tasks/{scene.task['id']}", json={"title": f"n{number}"}, headers=ANY)
    positions.place_all()
    streams = Event.objects.distinct("stream")
    query = {"stream": {"$in": streams}, "position": {"$gt": before, "$lte": positions.head()}}
    found = database().events.find(query).sort("position", 1).hint("stream_position").limit(401)
    assert found.explain()["executionStats"]["totalKeysExamined"] <= 3 * 10 + len(streams)
