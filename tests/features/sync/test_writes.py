"""The writes of a client that was offline: each is carried out once, merged or refused with both versions."""

import pytest
from pymongo.errors import ExecutionTimeout

from taskmanager.core.telemetry.instruments import REQUESTS
from taskmanager.extensions import limiter
from taskmanager.features.sync.writes import routes as writes
from taskmanager.features.sync.writes.dispatching import OPERATIONS
from taskmanager.features.tasks.models import Task
from taskmanager.features.views.models import View
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from taskmanager.web.idempotency import IdempotencyKey
from tests.features.sync.store import Store
from tests.features.sync.test_sync import ANY, made, scene  # noqa: F401 a fixture
from tests.moments import from_now


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


def brief(body):
    """What a repetition has of a body."""
    return body and {name: body[name] for name in ("id", "revision") if name in body}


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
    briefly = [one | {"replayed": True, "body": brief(one["body"])} for one in first]
    assert again == briefly and [one["index"] for one in again if one["merged"]] == [4]
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


def test_a_write_has_the_query_of_its_request(scene, send):  # noqa: F811
    task = f"/tasks/{scene.task['id']}"
    other = made(scene.owner.post(f"{scene.path}/tasks", json={"title": "First"}))
    made(scene.owner.post(f"/api/v1{task}/relations", json={"kind": "blocked_by", "task_id": other["id"]}))
    now = {"if_revision": scene.owner.get(f"/api/v1{task}").json["revision"]}
    queue = [
        write("PUT", f"{task}/completion", **now, mutation_id="a"),
        write("PUT", f"{task}/completion?force=maybe", **now, mutation_id="b"),
        write("PUT", f"{task}/completion?other=1", **now, mutation_id="c"),
        write("PATCH", f"{task}?force=true", {"title": "x"}, **now, mutation_id="d"),
        write("PUT", f"{task}/completion?force=true", **now, mutation_id="e"),
        write("PATCH", task, {"title": "Done"}, **now, mutation_id="f"),
    ]
    results = send(*queue, mode="independent")
    assert [one["status"] for one in results] == [409, 422, 422, 422, 200, 200], results
    assert results[0]["problem"]["code"] == "task.blocked"
    assert [one["problem"]["errors"][0]["location"] for one in results[1:4]] == [
        "query.force",
        "query.other",
        "query.force",
    ]
    again = send(queue[4], queue[4] | {"path": f"{task}/completion"})
    assert again[0]["replayed"] and again[1]["problem"]["code"] == "idempotency.key_reused"


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
    token = {"name": "T", "scopes": ["projects:read", "tasks:read"], "expires_at": from_now(days=30)}
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
    for wrong in ([write("GET", task)], [write("DELETE", f"{task}?a b")], []):
        body = {"writes": [{"mutation_id": f"m{number}"} | one for number, one in enumerate(wrong)]}
        assert scene.owner.post("/api/v1/sync/writes", json=body).status_code == 422, wrong


def test_a_repeated_merge_hides_no_change_of_another(scene, send):  # noqa: F811
    """Found by a review: the repetition took the revision of the merge for seen, and overwrote what it had not read."""
    path, task = f"/tasks/{scene.task['id']}", scene.task
    scene.owner.patch(f"/api/v1{path}", json={"description": "Theirs"}, headers=ANY)
    stale = {"if_revision": task["revision"]}
    queue = [
        write("PATCH", path, {"title": "Mine"}, **stale, base={"title": task["title"]}),
        write("PATCH", path, {"description": "Mine"}, **stale, base={"description": task["description"]}),
    ]
    for replayed in (False, True, True):
        merged, conflict = send(*queue, mode="independent")
        assert (merged["status"], merged["merged"], merged["replayed"]) == (200, True, replayed)
        assert (conflict["status"], conflict["theirs"]["description"]) == (412, "Theirs")
    assert merged["body"] == {"id": scene.task["id"], "revision": conflict["theirs"]["revision"]}


def test_own_changes_are_no_conflict_and_what_has_no_precondition_is_not_taken_for_seen(scene, send):  # noqa: F811
    path, revision = f"/tasks/{scene.task['id']}", scene.task["revision"]
    own = {"if_revision": revision}
    queue = [
        write("PUT", f"{path}/position", {"at": "first"}, **own),
        write("PATCH", path, {"title": "A"}, **own),
        write("DELETE", path, **own),
        write("POST", f"{path}/restore"),
        write("PATCH", path, {"title": "B"}, **own),
    ]
    assert [one["status"] for one in send(*queue)] == [200, 200, 204, 200, 200]
    task = scene.owner.get(f"/api/v1{path}").json
    scene.owner.patch(f"/api/v1{path}", json={"title": "Theirs"}, headers=ANY)
    unseen = [
        write("PUT", f"{path}/position", {"at": "last"}),
        write("PATCH", path, {"title": "C"}, if_revision=task["revision"]),
    ]
    results = send(*(one | {"mutation_id": f"u{number}"} for number, one in enumerate(unseen)))
    assert [one["status"] for one in results] == [200, 412]
    assert scene.owner.get(f"/api/v1{path}").json["title"] == "Theirs"


def test_ids_in_base_are_translated_and_values_of_custom_fields_are_not(scene, send):  # noqa: F811
    project = f"/projects/{scene.project['id']}"
    queue = [
        write("POST", f"{project}/custom-fields", {"key": "ext_id", "name": "Other", "type": "text"}),
        write("POST", f"{project}/labels", {"name": "L"}, temp_id="l"),
        write(
            "POST",
            f"{project}/tasks",
            {"title": "T", "label_ids": ["temp:l"], "custom_fields": {"ext_id": "temp:x"}},
            temp_id="t",
        ),
        write("POST", f"{project}/tasks", {"title": "Child", "parent_id": "temp:t"}),  # another revision of the parent
        write("PATCH", "/tasks/temp:t", {"label_ids": []}, if_revision=0, base={"label_ids": ["temp:l"]}),
    ]
    results = send(*queue)
    assert [one["status"] for one in results] == [201, 201, 201, 201, 200], results
    assert results[2]["body"]["custom_fields"]["ext_id"] == "temp:x"


def test_little_is_kept_of_large_objects(scene, send):  # noqa: F811
    path = f"/tasks/{scene.task['id']}"
    scene.owner.patch(f"/api/v1{path}", json={"description": "ü" * 20_000}, headers=ANY)
    now = scene.owner.get(f"/api/v1{path}").json["revision"]
    queue = [write("PATCH", path, {"title": f"T{number}"}, if_revision=now) for number in range(3)]
    assert [len(one["body"]["description"]) for one in send(*queue)] == [20_000] * 3
    stored = IdempotencyKey.objects.as_pymongo()
    assert stored.count() == 3 and sum(len(bytes(one["body"])) for one in stored) < 1000


def test_a_fault_of_one_write_is_its_result_and_others_are_carried_out(scene, send, monkeypatch):  # noqa: F811
    """The database cannot do one write, and another crashes: neither hides what became of the rest."""
    tasks, view = f"/projects/{scene.project['id']}/tasks", writes.dispatch

    def faulty(given, method):
        for sign, error in (
            ("slow", ExecutionTimeout("x", 50, {"codeName": "MaxTimeMSExpired"})),
            ("bug", ZeroDivisionError()),
        ):
            if (given.body or {}).get("title") == sign:
                raise error
        return view(given, method)

    monkeypatch.setattr(writes, "dispatch", faulty)
    queue = [
        write("POST", tasks, {"title": "A"}),
        write("POST", tasks, {"title": "slow"}, temp_id="s"),
        write("POST", tasks, {"title": "bug"}),
        write("POST", "/tasks/temp:s/comments", {"text": "x"}),
        write("POST", tasks, {"title": "B"}),
    ]
    alone = send(*queue, mode="independent")
    assert [one["status"] for one in alone] == [201, 503, 500, 503, 201]
    assert alone[3]["problem"]["code"] == "sync.writes_unfinished"
    ordered = send(*queue)
    assert [one["status"] for one in ordered] == [201, 503, 503, 503, 503]  # nothing to be reported as refused
    assert {one["problem"]["code"] for one in ordered[2:]} == {"sync.writes_unfinished"}


def test_a_batch_sends_no_invitations_and_has_no_limit_that_counts_by_the_response(scene, send):  # noqa: F811
    """Such a limit counts after a request, which a batch has once: a hundred invitations would count as none."""
    by_response = {
        name.rpartition(".")[2]
        for name, groups in limiter.limit_manager._decorated_limits.items()
        for limit in groups
        if limit.deduct_when
    }
    assert "add_member" in by_response and not by_response & OPERATIONS
    path = f"/projects/{scene.project['id']}/members"
    (refused,) = send(write("POST", path, {"email": "x@example.com", "role": "viewer"}))
    assert (refused["status"], refused["problem"]["errors"][0]["code"]) == (422, "sync.write_unsupported")


def test_a_write_counts_as_a_request_in_limits_and_metrics(other_app):
    client = sign_in(other_app(ratelimit_enabled=True, ratelimit_default="10/minute"), UserFactory())
    views = [{"mutation_id": f"m{number}", **write("POST", "/views", {"name": f"V{number}"})} for number in range(9)]
    counted = REQUESTS.labels("POST", "/api/v1/views", "2xx")
    before = counted._value.get()
    first = client.post("/api/v1/sync/writes", json={"writes": views[:6]})
    assert [one["status"] for one in first.json["results"]] == [201] * 6
    assert counted._value.get() == before + 6
    refused = client.post("/api/v1/sync/writes", json={"writes": views})
    assert (refused.status_code, refused.json["code"]) == (429, "rate_limit.exceeded")
    assert int(refused.headers["Retry-After"]) >= 1
    assert View.objects.count() == 6
