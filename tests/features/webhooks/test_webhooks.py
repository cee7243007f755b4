"""Webhooks: who may have them, what they are sent, signatures, the log, tests and replays."""

import base64

import orjson
import pytest
from standardwebhooks.webhooks import Webhook as Verifier, WebhookVerificationError

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.delivery import payloads
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.features.webhooks.conftest import only
from tests.scene import patch

ANY = {"If-Match": "*"}


def new_task(scene, title="New", **fields):
    answer = scene.owner.post(scene.tasks_path, json={"title": title} | fields)
    assert answer.status_code == 201, answer.text
    return answer.json


def types(receiver):
    return [orjson.loads(request.body)["type"] for request in receiver.received]


def test_an_event_is_sent_with_its_task_and_a_signature_that_the_public_library_verifies(
    scene, hook, receiver, deliver
):
    made = hook()
    task = new_task(scene)
    deliver()
    (request,) = receiver.received
    payload = Verifier(made["secret"]).verify(request.body, request.headers)
    assert payload["type"] == "task.created"
    assert payload["data"]["task"]["id"] == task["id"] and payload["data"]["task"]["title"] == "New"
    assert payload["data"]["actor_id"] == str(scene.owner.user.id)
    assert payload["data"]["project_id"] == str(scene.project.id)
    assert request.headers["content-type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Verifier(made["secret"]).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(request.body, request.headers)


def test_the_id_stays_the_same_and_the_time_does_not(scene, hook, receiver, deliver, again):
    hook()
    receiver.status = 503
    new_task(scene)
    deliver()
    Delivery.objects.update(set__created_at=now())
    receiver.status = 200
    again()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{only().id}"
    assert first.body == second.body
    assert (only().state, only().attempts) == ("sent", 2)


def test_a_rotated_secret_is_used_beside_the_one_before(scene, hook, receiver, deliver):
    made = hook()
    answer = scene.owner.put(f"/api/v1/webhooks/{made['id']}/secret", json={"keep_hours": 1}, headers=ANY)
    assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store"
    new_task(scene)
    deliver()
    (request,) = receiver.received
    for secret in (made["secret"], answer.json["secret"]):
        assert Verifier(secret).verify(request.body, request.headers)
    scene.owner.put(f"/api/v1/webhooks/{made['id']}/secret", json={"keep_hours": 0}, headers=ANY)
    new_task(scene)
    deliver()
    with pytest.raises(WebhookVerificationError):
        Verifier(answer.json["secret"]).verify(receiver.received[1].body, receiver.received[1].headers)


def test_a_rotation_whose_answer_was_lost_ends_no_secret_that_receivers_may_know(scene, hook, receiver, deliver):
    made = hook()
    path = f"/api/v1/webhooks/{made['id']}/secret"
    scene.owner.put(path, headers=ANY)
    latest = scene.owner.put(path, headers=ANY).json["secret"]
    new_task(scene)
    deliver()
    (request,) = receiver.received
    for secret in (made["secret"], latest):
        assert Verifier(secret).verify(request.body, request.headers)
    for _ in range(10):
        scene.owner.put(path, headers=ANY)
    assert len(Webhook.objects.get().secrets) == 5


def test_the_secret_is_shown_once_and_stored_encrypted(scene, hook):
    made = hook()
    listed = scene.owner.get(f"{scene.project_path}/webhooks").text
    one = scene.owner.get(f"/api/v1/webhooks/{made['id']}").text
    assert made["secret"] not in listed + one and "secret" not in listed + one
    assert made["secret"] not in str(Webhook._get_collection().find_one())


@pytest.mark.parametrize(
    ("events", "sent"),
    [
        (["*"], ["task.created", "task.updated", "comment.created"]),
        (["task.*"], ["task.created", "task.updated"]),
        (["comment.created"], ["comment.created"]),
        (["label.*"], []),
    ],
)
def test_only_the_events_that_were_chosen_are_sent(scene, hook, receiver, deliver, events, sent):
    deliver()
    hook(events=events)
    task = new_task(scene)
    patch(scene.owner, f"/api/v1/tasks/{task['id']}", {"title": "Other"})
    scene.owner.post(f"/api/v1/tasks/{task['id']}/comments", json={"text": "Hm"})
    deliver()
    assert sorted(types(receiver)) == sorted(sent)


def test_a_comment_is_sent_with_its_text(scene, hook, receiver, deliver):
    hook(events=["comment.*"])
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Hm"})
    deliver()
    data = orjson.loads(receiver.received[0].body)["data"]
    assert (data["comment"]["text"], data["comment"]["author_id"]) == ("Hm", str(scene.owner.user.id))
    assert data["task"]["id"] == str(scene.task.id)


def test_a_body_that_is_too_large_is_cut(scene, hook, receiver, deliver, monkeypatch):
    monkeypatch.setattr(payloads, "MAX_BYTES", 500)
    hook()
    new_task(scene, description="x" * 1000)
    deliver()
    data = orjson.loads(receiver.received[0].body)["data"]
    assert data["cut"] is True and "task" not in data


def test_a_filter_that_is_not_understood_any_more_holds_up_no_other(scene, hook, receiver, deliver):
    hook(filter="priority = urgent")
    Webhook.objects.update(set__filter="no such thing")
    hook()
    new_task(scene)
    deliver()
    assert len(receiver.received) == 1


def test_a_filter_lets_through_what_it_says(scene, hook, receiver, deliver):
    hook(filter="priority = urgent and assignee = me")
    new_task(scene, priority="urgent")
    new_task(scene, priority="low", assignee_ids=[str(scene.owner.user.id)])
    wanted = new_task(scene, priority="urgent", assignee_ids=[str(scene.owner.user.id)])
    deliver()
    assert [orjson.loads(request.body)["data"]["subject_id"] for request in receiver.received] == [wanted["id"]]


@pytest.mark.parametrize("own", [False, True])
def test_a_filter_follows_its_label_and_is_silent_when_that_is_gone(scene, hook, receiver, deliver, own):
    labels = f"{scene.project_path}/labels"
    label = scene.owner.post(labels, json={"name": "bug"}).json["id"]
    made = hook(filter="label = bug", own=own, events=["task.created"])
    hook(filter="label != bug", own=own, events=["task.created"])
    path = f"/api/v1/webhooks/{made['id']}"
    patch(scene.owner, f"{labels}/{label}", {"name": "defect"})
    other = scene.owner.post(labels, json={"name": "bug"}).json["id"]
    new_task(scene, "wanted", label_ids=[label])
    new_task(scene, "other", label_ids=[other])
    deliver()
    told = [orjson.loads(request.body)["data"]["task"]["title"] for request in receiver.received]
    assert sorted(told) == ["other", "wanted"]
    shown = scene.owner.get(path).json
    assert (shown["filter"], shown["filter_problem"]) == ("label = defect", None)
    scene.owner.delete(f"{labels}/{label}", headers={"If-Match": "*"})
    new_task(scene, "no one is told")
    deliver()
    assert len(receiver.received) == 2
    shown = scene.owner.get(path).json
    assert (shown["filter"], shown["filter_problem"]) == (
        "label = bug",
        "Column 9: 'bug' is no label that is known here.",
    )
    place = "/api/v1/webhooks" if own else f"{scene.project_path}/webhooks"
    assert [item["filter_problem"] for item in scene.owner.get(place).json["items"]] == [
        "Column 9: 'bug' is no label that is known here.",
        "Column 10: 'bug' is no label that is known here.",
    ]
    assert patch(scene.owner, path, {"filter": "title ~ x"}).json["filter_problem"] is None


def test_one_of_a_person_is_told_of_all_their_projects_and_of_no_other(scene, hook, receiver, deliver):
    member = scene.member()
    deliver()
    hook(client=member, own=True)
    new_task(scene, "Seen")
    TaskFactory(project=ProjectFactory(), title="Hidden")
    deliver()
    assert [orjson.loads(request.body)["data"]["task"]["title"] for request in receiver.received] == ["Seen"]


def test_who_left_the_project_is_told_nothing_any_more_not_even_what_waits(scene, hook, receiver, deliver, again):
    member = scene.member()
    deliver()
    hook(client=member, own=True)
    receiver.status = 500
    new_task(scene)
    deliver()
    receiver.empty()
    scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY)
    new_task(scene)
    again()
    assert receiver.received == []
    assert {delivery.state for delivery in Delivery.objects(channel="webhook")} == {"cancelled"}


def test_a_disabled_account_is_told_nothing(scene, hook, receiver, deliver):
    member = scene.member()
    deliver()
    hook(client=member, own=True)
    User.objects(id=member.user.id).update(set__disabled_at=now())
    new_task(scene)
    deliver()
    assert receiver.received == []


def test_an_address_inside_is_refused_when_it_is_made_changed_and_used(scene, hook, receiver, deliver):
    inside = "http://10.0.0.1/hook"
    made = hook()
    place = f"{scene.project_path}/webhooks"
    answers = [
        scene.owner.post(place, json={"url": inside, "events": ["*"]}),
        patch(scene.owner, f"/api/v1/webhooks/{made['id']}", {"url": inside}),
    ]
    for answer in answers:
        assert answer.status_code == 422
        assert answer.json["errors"][0]["code"] == "webhook.address_refused"
    Webhook.objects.update(set__url=inside)
    new_task(scene)
    deliver()
    assert (only().state, only().attempts) == ("dead", 1)
    assert "public" in only().last_error


def test_there_are_at_most_twenty_in_a_project(scene, hook):
    for _ in range(20):
        hook()
    answer = scene.owner.post(f"{scene.project_path}/webhooks", json={"url": "https://8.8.8.8/", "events": ["*"]})
    assert (answer.status_code, answer.json["code"]) == (409, "quota.webhooks")


def test_events_that_no_one_wants_cost_no_job(scene, hook, receiver, deliver):
    from taskmanager.core.events import outbox

    deliver()
    new_task(scene)
    outbox.relay_batch()
    names = [job.args[0] for name in outbox.QUEUES for job in outbox.queue(name).jobs]
    assert "webhooks.tell" not in names


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["task.exploded"]},
        {"filter": "password = x"},
        {"filter": "custom_fields.tpyo != x"},
        {"filter": "label != tpyo"},
        {"url": "ftp://example.com"},
        {"x": 1},
    ],
)
def test_what_makes_no_sense_is_refused(scene, wrong):
    body = {"url": "https://8.8.8.8/hook", "events": ["*"]} | wrong
    assert scene.owner.post(f"{scene.project_path}/webhooks", json=body).status_code == 422
