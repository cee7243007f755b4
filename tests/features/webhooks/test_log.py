"""The log of a webhook's deliveries: what was sent and answered, replays and tests, and what comes of failures."""

from datetime import timedelta

import orjson
import pytest
from bson import BSON

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.models import Body, Webhook
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory
from tests.features.webhooks.conftest import only
from tests.features.webhooks.test_webhooks import new_task, types
from tests.problems import assert_problem
from tests.scene import patch


def test_the_log_shows_what_was_sent_and_answered(scene, hook, receiver, deliver):
    made = hook("/status/418")
    new_task(scene)
    deliver()
    path = f"/api/v1/webhooks/{made['id']}/deliveries"
    (item,) = scene.owner.get(path).json["items"]
    assert (item["state"], item["attempts"], item["kind"]) == ("pending", 1, "task.created")
    whole = scene.owner.get(f"{path}/{item['id']}").json
    assert orjson.loads(whole["body"])["type"] == "task.created"
    (attempt,) = whole["log"]
    assert attempt["status"] == 418 and attempt["error"] is None
    assert attempt["request_headers"]["webhook-id"] == f"msg_{item['id']}"
    assert scene.owner.get(f"{path}?state=dead").json["items"] == []


def test_a_test_is_sent_also_to_one_that_is_turned_off(scene, hook, receiver, deliver):
    made = hook(active=False)
    new_task(scene)
    answer = scene.owner.post(f"/api/v1/webhooks/{made['id']}/test")
    assert (answer.status_code, answer.json["kind"]) == (202, "webhook.test")
    deliver()
    assert types(receiver) == ["webhook.test"]


def test_a_replay_sends_the_same_again(scene, hook, receiver, deliver):
    made = hook()
    new_task(scene)
    deliver()
    path = f"/api/v1/webhooks/{made['id']}/deliveries/{only().id}"
    assert scene.owner.post(f"{path}/replay").status_code == 202
    assert scene.owner.post(f"{path}/replay").json["code"] == "delivery.pending"
    deliver()
    first, second = receiver.received
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)


@pytest.mark.parametrize(
    ("change", "code"), [({"active": False}, "webhook.off"), ({"disabled_at": now()}, "webhook.disabled")]
)
def test_nothing_is_replayed_to_a_webhook_that_gets_nothing(scene, hook, deliver, change, code):
    made = hook("/status/410" if "disabled_at" in change else "/ok")
    new_task(scene)
    deliver()
    Webhook.objects.update(**{f"set__{field}": value for field, value in change.items()})
    before = only().to_mongo()
    path = f"/api/v1/webhooks/{made['id']}/deliveries/{only().id}/replay"
    assert_problem(scene.owner.post(path), 409, code=code)
    assert only().to_mongo() == before


def test_the_etag_tells_that_a_webhook_fails(scene, hook, deliver):
    path = f"/api/v1/webhooks/{hook('/status/500')['id']}"
    known = scene.owner.get(path).headers["ETag"]
    new_task(scene)
    deliver()
    answer = scene.owner.get(path, headers={"If-None-Match": known})
    assert answer.status_code == 200 and answer.json["failing_since"]
    headers = {"If-Match": answer.headers["ETag"]}
    assert scene.owner.patch(path, json={"description": "Ours"}, headers=headers).status_code == 200


def test_no_one_reaches_the_deliveries_of_another_webhook(scene, hook, receiver, deliver):
    hook()
    new_task(scene)
    deliver()
    stranger = sign_in(scene.app, UserFactory())
    own = stranger.post("/api/v1/webhooks", json={"url": receiver.url, "events": ["*"]}).json
    path = f"/api/v1/webhooks/{own['id']}/deliveries/{only().id}"
    assert stranger.get(path).status_code == 404
    assert stranger.post(f"{path}/replay").status_code == 404


def test_410_disables_at_once_and_the_owner_is_told(scene, hook, receiver, deliver, mail):
    made = hook("/status/410")
    new_task(scene)
    deliver()
    assert (only().state, only().attempts) == ("dead", 1)
    shown = scene.owner.get(f"/api/v1/webhooks/{made['id']}").json
    assert shown["state"] == "disabled" and "410" in shown["disabled_because"]
    assert [message["Subject"] for message in mail.to(scene.owner.user.email)][-1] == "A webhook was disabled"
    new_task(scene)
    deliver()
    assert len(receiver.received) == 1


def test_of_an_owner_who_may_not_act_the_projects_owner_is_told(scene, hook, deliver, mail):
    manager = scene.member("manager")
    hook("/status/410", client=manager)
    User.objects(id=manager.user.id).update(set__disabled_at=now())
    new_task(scene)
    deliver()
    assert [message["Subject"] for message in mail.to(scene.owner.user.email)][-1] == "A webhook was disabled"


def test_days_of_failures_disable_it_and_turning_it_on_begins_anew(scene, hook, receiver, deliver, mail, again):
    made = hook("/status/500")
    new_task(scene)
    deliver()
    Webhook.objects.update(set__failing_since=now() - timedelta(days=5, minutes=1))
    again()
    assert Webhook.objects.get().disabled_at is None  # two failures are not enough, however far apart
    Webhook.objects.update(set__failures=7)
    again()
    path = f"/api/v1/webhooks/{made['id']}"
    assert scene.owner.get(path).json["state"] == "disabled"
    again()
    assert only().state == "dead"
    assert scene.owner.post(f"{path}/test").json["code"] == "webhook.disabled"
    assert patch(scene.owner, path, {"active": True}).json["state"] == "active"
    assert Webhook.objects.get().failures == 0


def test_what_is_sent_is_stored_once_for_all_webhooks(scene, hook, receiver, deliver):
    for _ in range(6):
        hook()
    patch(scene.owner, scene.task_path, {"description": "x" * 30_000})
    deliver()
    assert len({request.body for request in receiver.received}) == 1
    assert len(receiver.received) == 6
    rows = list(Delivery.objects(kind="task.updated").as_pymongo())
    assert sum(len(BSON.encode(row)) for row in rows) < 30_000
    assert [len(body.text) > 30_000 for body in Body.objects(id=rows[0]["event_id"])] == [True]


def test_what_is_not_kept_any_more_is_not_sent(scene, hook, receiver, deliver):
    made = hook()
    new_task(scene)
    deliver()
    Body.objects.delete()
    path = f"/api/v1/webhooks/{made['id']}/deliveries/{only().id}"
    assert scene.owner.post(f"{path}/replay").status_code == 202
    deliver()
    assert (only().state, only().last_error) == ("cancelled", "The body has expired.")
    assert scene.owner.get(path).json["body"] == ""
    assert len(receiver.received) == 1
