"""The writes of a client that was offline: each is carried out once, merged or refused with both versions."""

import pytest

from taskmanager.features.tasks.models import Task
from tests.features.sync.store import Store
from tests.features.sync.test_sync import ANY, made, scene  # noqa: F401 a fixture


@pytest.fixture
def send(scene):  # noqa: F811
    """A function that sends writes of the owner and returns their results."""

    def call(*writes, client=scene.owner, **more):
        named = [{"mutation_id": f"m{number}"} | write for number, write in enumerate(writes)]
        response = client.post("/api/v1/sync/writes", json={"writes": named} | more)
        assert response.status_code == 200, response.json
        return response.json["results"]

    return call


def write(method, path, body=None, **more):
    return {"method": method, "path": path} | ({"body": body} if body is not None else {}) | more


def test_a_queue_of_all_kinds_is_carried_out_in_order_and_once(scene, send):  # noqa: F811
    path, before = f"/projects/{scene.project['id']}", Store(scene.owner).sync()
    notes = "/notifications/preferences"
    queue = [
        write("POST", "/projects", {"key": "NEW", "name": "New"}, temp_id="p"),
        write("POST", "/projects/temp:p/labels", {"name": "home"}, temp_id="l"),
        write("POST", "/projects/temp:p/tasks", {"title": "One", "label_ids": ["temp:l"]}, temp_id="t"),
        write("POST", "/projects/temp:p/tasks", {"title": "temp:t", "parent_id": "temp:t"}, temp_id="u"),
        write("PATCH", "/tasks/temp:t", {"title": "First"}, if_revision=0, base={"title": "One"}),
        write("POST", "/tasks/temp:t/comments", {"text": "Hello"}, temp_id="c"),
        write("PATCH", "/tasks/temp:t/comments/temp:c", {"text": "Bye"}, if_revision=0),
        write("PUT", "/tasks/temp:t/comments/temp:c/reactions/%F0%9F%91%8D"),
        write("POST", "/tasks/temp:t/reminders", {"at": "2099-01-01T00:00:00Z"}, temp_id="r"),
        write("PUT", "/tasks/temp:u/completion", if_revision=0),
        write("DELETE", "/tasks/temp:u", if_revision=0),
        write("POST", f"{path}/views", {"name": "V"}, temp_id="v"),
        write("DELETE", f"{path}/views/temp:v", if_revision=1),
        write("POST", f"{path}/custom-fields", {"key": "size", "name": "Size", "type": "number"}, temp_id="f"),
        write("PATCH", f"{path}/custom-fields/temp:f", {"name": "Width"}, if_revision=1),
        write("PUT", "/tasks/temp:t/position", {"at": "first"}),
        write("PUT", "/notifications/read"),
        write("PATCH", notes, {"level": "all"}, if_revision=0),
        write("PATCH", path, {"name": "Renamed"}, if_revision=before.of("projects")[0]["revision"]),
    ]
    first = send(*queue)
    assert [one["status"] for one in first] == [
        *(201, 201, 201, 201, 200, 201, 200, 200, 201, 200, 204, 201, 204, 201, 200, 200, 200, 200, 200)
    ], first
    assert {one["temp_id"] for one in first if one["id"]} == set("pltucrvf")
    after = Store(scene.owner).sync()
    again = send(*queue)
    assert all(one["replayed"] for one in again)
    assert [one | {"replayed": False, "merged": one["index"] == 4} for one in again] == first  # 4 was merged then
    assert Store(scene.owner).sync().items == after.items
    (task,) = [one for one in after.of("tasks") if one["title"] == "First"]
    assert (task["project_id"], task["label_ids"]) == (first[0]["id"], [first[1]["id"]])
    assert Task.objects.get(id=first[3]["id"]).title == "temp:t"  # a text is no reference
    before.sync()
    told = {one["mutation_id"] for page in before.pages for one in page["mutations"]}
    assert {"m0", "m2", "m4", "m5", "m18"} <= told
    other = send(queue[0] | {"body": {"key": "OTHER", "name": "Other"}})
    assert (other[0]["status"], other[0]["problem"]["code"]) == (422, "idempotency.key_reused")


def test_another_change_of_other_fields_is_merged_and_of_the_same_is_a_conflict(scene, send):  # noqa: F811
    path, task = f"/tasks/{scene.task['id']}", scene.task
    scene.owner.patch(f"/api/v1{path}", json={"title": "Theirs"}, headers=ANY)
    stale = {"if_revision": task["revision"]}
    base = {"base": {"description": task["description"], "custom_fields": task["custom_fields"]}}
    change = {"description": "Mine", "custom_fields": {"points": 5}}
    refused, merged, conflict, gone = send(
        write("PATCH", path, change, **stale),
        write("PATCH", path, change, **stale, **base),
        write("PATCH", path, {"title": "Mine"}, **stale, base={"title": "One"}),
        write("DELETE", path, **stale),
        mode="independent",
    )
    assert (refused["status"], merged["status"], conflict["status"], gone["status"]) == (412, 200, 412, 412)
    assert merged["merged"] and merged["body"]["title"] == "Theirs" and merged["body"]["description"] == "Mine"
    assert conflict["mine"] == {"title": "Mine"} and conflict["theirs"] == merged["body"] == gone["theirs"]
    assert conflict["problem"]["code"] == "precondition.failed"
    scene.owner.patch(f"/api/v1{path}", json={"custom_fields": {"points": 6}}, headers=ANY)
    inner, equal = send(
        write("PATCH", path, {"custom_fields": {"points": 7}}, **stale, base={"custom_fields": {"points": 5}}),
        write("PATCH", path, {"title": "Theirs"}, **stale, base={"title": "One"}),
        mode="independent",
    )
    assert (inner["status"], equal["status"]) == (412, 422)  # mutation ids m0 and m1: m1 was another content
    assert inner["theirs"]["custom_fields"] == {"points": 6}


def test_a_failed_write_ends_the_queue_or_only_what_needs_it(scene, send):  # noqa: F811
    path = f"/projects/{scene.project['id']}/tasks"
    queue = [
        write("POST", path, {"title": ""}, temp_id="a"),
        write("POST", "/tasks/temp:a/comments", {"text": "x"}),
        write("POST", path, {"title": "B"}),
    ]
    results = send(*queue)
    assert [one["status"] for one in results] == [422, 409, 409] and Task.objects.count() == 1
    assert results[2]["problem"]["code"] == "sync.write_skipped"
    assert results[0]["problem"]["errors"][0]["location"] == "body.title"
    assert [one["status"] for one in send(*queue, mode="independent")] == [422, 409, 201]


def test_writes_have_the_rights_of_their_routes_and_only_what_sync_knows(scene, send):  # noqa: F811
    task = f"/tasks/{scene.task['id']}"
    queue = [
        write("DELETE", task, if_revision=1),
        write("PATCH", "/users/me", {"name": "x"}, if_revision=1),
        write("POST", "/sync/writes", {"writes": []}),
        write("POST", "/tasks/bulk", {"operations": []}),
        write("PUT", f"{task}/nothing"),
        write("POST", "/users/me/tokens", {}),
        write("PATCH", task, {"title": "x"}),
    ]
    statuses = [one["status"] for one in send(*queue, client=scene.member, mode="independent")]
    assert statuses == [404, 422, 422, 422, 404, 422, 428]
    token = {"name": "T", "scopes": ["projects:read", "tasks:read"], "expires_at": "2027-06-01T00:00:00Z"}
    robot = scene.owner.application.test_client()
    issued = made(scene.owner.post("/api/v1/users/me/tokens", json=token))
    robot.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {issued['token']}"
    (refused,) = send(queue[0], client=robot)
    assert (refused["status"], refused["problem"]["code"]) == (403, "auth.scope_missing")
    assert Task.objects.get(id=scene.task["id"]).deleted_at is None
    unfit = [
        write("PATCH", task, {"title": "x"}, base={"title": "y"}),
        write("PATCH", task, {"title": "x"}, if_revision=1, base={}),
        write("DELETE", task, if_revision=1, temp_id="a"),
    ]
    results = send(*unfit, mode="independent")
    assert [one["problem"]["errors"][0]["location"] for one in results] == ["base", "base", "temp_id"]
    for wrong in ([write("GET", task)], [write("DELETE", f"{task}?force=true")], []):
        body = {"writes": [{"mutation_id": f"m{number}"} | one for number, one in enumerate(wrong)]}
        assert scene.owner.post("/api/v1/sync/writes", json=body).status_code == 422, wrong
