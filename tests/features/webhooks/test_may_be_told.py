"""What webhooks tell, and that it is no more than its readers may know."""

import orjson

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import User
from taskmanager.testing.factories import ProjectFactory
from tests.features.webhooks.test_webhooks import ANY, new_task, types
from tests.moments import from_now
from tests.scene import patch


def test_what_is_done_to_a_task_in_another_project_is_not_told_to_the_one_that_it_left(scene, hook, receiver, deliver):
    deliver()
    hook()
    elsewhere = ProjectFactory(owner=scene.owner.user)
    task = new_task(scene, "Old")
    path = f"/api/v1/tasks/{task['id']}"
    assert scene.owner.post(f"{path}/move", json={"project_id": str(elsewhere.id)}).status_code == 200
    assert patch(scene.owner, path, {"title": "Secret of the other project"}).status_code == 200
    deliver()
    assert sorted(types(receiver)) == ["task.created", "task.moved_out"]
    assert not any(b"Secret" in request.body or b'"task":' in request.body for request in receiver.received)


def test_changes_are_told_as_clients_know_them(scene, hook, receiver, deliver):
    deliver()
    hook(events=["task.updated"])
    patch(scene.owner, scene.task_path, {"priority": "urgent", "status": "done"})
    deliver()
    changes = orjson.loads(receiver.received[0].body)["data"]["changes"]
    assert changes["priority"] == ["none", "urgent"]
    assert "status_group" not in changes and "completed_at" not in changes


def test_the_bound_of_a_body_is_one_of_bytes(scene, hook, receiver, deliver):
    deliver()
    hook(events=["task.updated"])
    for letter in ("あ", "い"):
        patch(scene.owner, scene.task_path, {"description": letter * 30_000})
    deliver()
    assert all(len(request.body) <= 256 * 1024 for request in receiver.received)
    assert [orjson.loads(request.body)["data"].get("cut") for request in receiver.received] == [None, True]


def test_what_waits_of_a_deleted_project_is_not_sent_to_its_members_either(scene, hook, receiver, deliver, again):
    deliver()
    hook(own=True)
    receiver.status = 500
    new_task(scene)
    deliver()
    assert scene.owner.delete(scene.project_path, headers=ANY).status_code == 204
    receiver.status = None
    again()
    assert only_of("task.created").state == "cancelled"


def only_of(kind):
    return Delivery.objects(channel="webhook", kind=kind).get()


def test_who_left_a_project_does_not_read_in_the_log_what_was_never_sent(scene, hook, receiver, deliver):
    member = scene.member()
    deliver()
    made = hook(client=member, own=True)
    receiver.status = 500
    new_task(scene)
    deliver()
    path = f"/api/v1/webhooks/{made['id']}/deliveries"
    one = f"{path}/{only_of('task.created').id}"
    assert member.get(one).status_code == 200
    assert scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY).status_code == 204
    assert member.get(one).status_code == member.post(f"{one}/replay").status_code == 404
    assert member.get(path).json["items"] == []


def test_a_filter_of_a_project_holds_on_when_who_made_it_is_disabled(scene, hook, receiver, deliver):
    manager = scene.member("manager")
    deliver()
    hook(client=manager, filter='title ~ "New"', events=["task.created"])
    User.objects(id=manager.user.id).update(set__disabled_at=now())
    new_task(scene, "New")
    new_task(scene, "Other")
    deliver()
    assert [orjson.loads(request.body)["data"]["task"]["title"] for request in receiver.received] == ["New"]


def test_a_token_makes_no_webhook_that_tells_it_more_than_it_may_read(scene, hook, client):
    made = hook(own=True)
    body = {"name": "t", "scopes": ["webhooks:read", "webhooks:write", "projects:read"]}
    token = scene.owner.post("/api/v1/users/me/tokens", json=body | {"expires_at": from_now(days=30)}).json
    headers = ANY | {"Authorization": f"Bearer {token['token']}"}

    def make(events):
        return client.post("/api/v1/webhooks", json={"url": "https://8.8.8.8/", "events": events}, headers=headers)

    assert make(["*"]).json["code"] == make(["project.*", "task.created"]).json["code"] == "auth.scope_missing"
    assert make(["project.*"]).status_code == 201
    path = f"/api/v1/webhooks/{made['id']}"
    assert client.patch(path, json={"url": "https://8.8.8.8/"}, headers=headers).status_code == 403
    assert client.get(f"{path}/deliveries", headers=headers).status_code == 403
    assert client.get(path, headers=headers).status_code == 200
