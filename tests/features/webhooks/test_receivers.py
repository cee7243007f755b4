"""Receivers that answer badly: each is survived, none holds up the others, and only 2xx counts."""

import threading
import time
from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.retry import RetryPolicy
from taskmanager.features.notifications.delivery import pending, service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.webhooks.delivery import channel
from taskmanager.features.webhooks.models import Webhook
from tests.features.webhooks.conftest import only
from tests.features.webhooks.test_webhooks import new_task


@pytest.mark.parametrize(
    "how", ["slow", "drip", "garbage", "silent", "reset", "redirect", "endless", "status/500", "status/304"]
)
def test_what_is_no_clear_yes_is_tried_again(scene, hook, receiver, impatient, deliver, how):
    hook(f"/{how}")
    new_task(scene)
    began = time.monotonic()
    deliver()
    assert time.monotonic() - began < 60  # they hang for two minutes
    assert (only().state, only().attempts) == ("pending", 1)
    assert only().last_error and only().due_at
    assert len(receiver.received) == 1  # a redirect is not followed


@pytest.mark.parametrize("how", ["large", "zero", "status/299", "status/202"])
def test_a_yes_is_one_whatever_else_it_says(scene, hook, receiver, deliver, how):
    made = hook(f"/{how}")
    new_task(scene)
    deliver()
    assert only().state == "sent"
    (attempt,) = scene.owner.get(f"/api/v1/webhooks/{made['id']}/deliveries/{only().id}").json["log"]
    assert len(attempt["response_body"]) <= 2_000


def test_no_one_listens(scene, hook, receiver, deliver):
    hook()
    Webhook.objects.update(set__url="http://127.0.0.1:1999")
    new_task(scene)
    deliver()
    assert "Refused" in only().last_error


@pytest.fixture
def long_rest(monkeypatch):
    """A webhook that has failed rests for longer than a test takes on a slow machine."""
    monkeypatch.setattr(channel, "retry_policy", lambda: RetryPolicy(first_seconds=60, max_seconds=300, min_attempts=8))


def test_one_that_hangs_rests_and_does_not_hold_up_others(scene, hook, receiver, deliver, impatient, long_rest):
    hook("/slow")
    for number in range(5):
        new_task(scene, f"Task {number}")
    hook("/ok")
    new_task(scene, "Last")
    deliver()
    assert [request.path for request in receiver.received].count("/slow") == 1
    assert [request.path for request in receiver.received].count("/ok") == 1
    slow = Webhook.objects(url__endswith="/slow").get()
    assert slow.failures == 1 and slow.backoff_until is not None
    assert Delivery.objects(state="pending", recipient_id=slow.id).count() == 6


def test_after_a_success_it_does_not_rest_any_more(scene, hook, receiver, deliver, again):
    hook()
    receiver.status = 500
    new_task(scene)
    deliver()
    assert Webhook.objects.get().failures == 1
    receiver.status = None
    again()
    assert (Webhook.objects.get().failures, Webhook.objects.get().failing_since) == (0, None)


def _waiting(webhook, number, **fields):
    """Deliveries of a webhook that wait to be sent."""
    row = {"channel": "webhook", "recipient_id": webhook.id, "kind": "task.created", "body": "{}"} | fields
    return deliveries.plan([row | {"event_id": ObjectId()} for _ in range(number)])


def _send_at_once(planned):
    """Send each in a thread of its own, and wait for all."""
    threads = [threading.Thread(target=deliveries.send_all, args=([one],)) for one in planned]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_few_requests_are_under_way_to_one_at_a_time(scene, hook, receiver, deliver):
    made = hook()
    webhook = Webhook.objects.get()
    receiver.delay = 0.3
    _send_at_once(_waiting(webhook, 12))
    assert made["state"] == "active"
    assert 1 <= receiver.most_at_once <= 4
    assert Delivery.objects(state="sent").count() == len(receiver.received)
    assert Webhook.objects.get().in_flight == []


def test_one_that_fails_lets_its_backlog_rest_and_come_back_little_by_little(scene, hook, receiver, deliver, long_rest):
    hook("/status/500")
    webhook = Webhook.objects.get()
    _waiting(webhook, 200, due_at=now())
    deliver()
    webhook.reload()
    assert (webhook.failures, len(receiver.received)) == (1, 1)
    due = [row.due_at for row in Delivery.objects(state="pending", attempts=0)]
    assert len(due) == 199 and min(due) >= webhook.backoff_until
    assert (max(due) - webhook.backoff_until).total_seconds() > 5  # at most some twenty a second
    assert {row.attempts for row in Delivery.objects(attempts__gt=0)} == {1}


def test_a_success_ends_the_rest_also_when_another_request_failed_meanwhile(scene, hook, receiver, deliver):
    hook()
    receiver.meanwhile = lambda: Webhook.objects.update(set__failures=1, set__failing_since=now())
    new_task(scene)
    deliver()
    assert (Webhook.objects.get().failures, Webhook.objects.get().failing_since) == (0, None)


def test_a_test_is_sent_to_one_that_fails_and_rests(scene, hook, receiver, deliver, long_rest):
    made = hook("/status/500")
    new_task(scene)
    deliver()
    assert Webhook.objects.get().backoff_until > now()
    Webhook.objects.update(set__in_flight=[{"by": ObjectId(), "until": now() + timedelta(seconds=9)}])  # a probe
    assert scene.owner.post(f"/api/v1/webhooks/{made['id']}/test").status_code == 202
    pending.postpone_all(Webhook.objects.get().id, now() + timedelta(seconds=300), but="webhook.test")
    deliver()
    assert len(receiver.received) == 2


def test_receivers_that_are_slow_leave_threads_for_the_others(scene, hook, receiver, deliver, monkeypatch):
    """However many they are, and although they succeed."""
    monkeypatch.setattr(channel, "_slow_threads", threading.BoundedSemaphore(1))
    for _ in range(3):
        hook()
    Webhook.objects.update(set__took_ms=2000)
    hook("/ok?quick")
    assert channel._slow_threads.acquire(blocking=False)
    new_task(scene)
    deliver()
    assert [request.path for request in receiver.received] == ["/ok?quick"]
    assert Delivery.objects(state="pending", attempts=0).count() == 3
    channel._slow_threads.release()


def test_what_comes_once_a_webhook_works_again_does_not_wait_for_the_rest_that_was(scene, hook, receiver, deliver):
    made = hook()
    Webhook.objects.update(set__failures=3, set__failing_since=now(), set__backoff_until=now() + timedelta(seconds=300))
    new_task(scene)
    deliver()
    assert receiver.received == []
    scene.owner.post(f"/api/v1/webhooks/{made['id']}/test")
    deliver()
    Webhook.objects.update(set__in_flight=[{"by": ObjectId(), "until": now() + timedelta(seconds=60)}] * 4)
    new_task(scene, "Afterwards")
    deliver()
    latest = Delivery.objects(state="pending").order_by("-id").first()
    assert latest.due_at < now() + timedelta(seconds=10)


def test_one_that_failed_is_tried_with_one_request_at_a_time(scene, hook, receiver, long_rest):
    """Its rest is over, and much waits: whether it works again is asked once."""
    hook("/status/500")
    webhook = Webhook.objects.get()
    webhook.update(set__failures=3, set__failing_since=now(), set__backoff_until=now())
    receiver.delay = 0.5
    _send_at_once(_waiting(webhook, 12))
    assert len(receiver.received) == 1
    assert Delivery.objects(attempts=0, state="pending").count() == 11


def test_one_that_fails_again_and_again_is_tried_ever_more_seldom(scene, hook, receiver, again):
    hook("/status/500")
    new_task(scene)
    rests = []
    for _ in range(9):
        began = now()
        again()
        rests.append((Webhook.objects.get().backoff_until - began).total_seconds())
    assert len(receiver.received) == 9
    least = [2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert all(rest >= shortest for rest, shortest in zip(rests, least, strict=True)), rests
