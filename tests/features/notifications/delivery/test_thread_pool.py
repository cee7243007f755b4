"""Sending beside a worker's jobs: who hangs holds up no one else, and nothing is cut off."""

import threading
import time
from datetime import timedelta

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.errors import Misconfigured
from taskmanager.features.notifications.delivery import service as deliveries, thread_pool
from taskmanager.features.notifications.delivery.throttle import Throttle
from taskmanager.features.notifications.models import Delivery
from tests.faults.stack import eventually

_LONG_SECONDS = 120.0  # a worker that waits for a receiver is held for so long


class Gate:
    """A channel whose receivers answer when they are let."""

    name, queue, grouped, seconds, threads = "gate", "low", False, 30.0, 2

    def __init__(self):
        self.open = threading.Event()
        self.asked, self.told, self.pause = [], [], 0.0

    def reaches(self, user_ids):
        return set(user_ids)

    def send(self, message):
        self.asked.append(message.delivery.id)
        assert self.open.wait(_LONG_SECONDS)
        time.sleep(self.pause)
        self.told.append(message.delivery.id)


@pytest.fixture
def gate(contribute):
    gate = Gate()
    contribute(channels=(gate,))
    yield gate
    gate.open.set()


def claimed(number):
    rows = [
        {"event_id": ObjectId(), "channel": "gate", "recipient_id": ObjectId(), "kind": "webhook.test", "body": "{}"}
        for _ in range(number)
    ]
    return deliveries.plan(rows)


def test_a_worker_goes_on_while_receivers_are_waited_for_and_finishes_what_it_began(gate):
    began = time.monotonic()
    with thread_pool.opened():
        deliveries.send_all(claimed(2))
        assert time.monotonic() - began < _LONG_SECONDS / 2
        assert Delivery.objects(state="pending").count() == 2
        threading.Timer(0.3, gate.open.set).start()
    assert len(gate.told) == 2
    assert Delivery.objects(state="sent").count() == 2


def test_what_finds_all_threads_taken_is_put_off_without_an_attempt_each_to_a_moment_of_its_own(gate):
    with thread_pool.opened():
        deliveries.send_all(claimed(2))
        began, moment = time.monotonic(), now()
        late = claimed(40)
        deliveries.send_all(late)
        assert time.monotonic() - began < _LONG_SECONDS / 2  # a worker has little patience, however many there are
        waits = [delivery.reload() for delivery in late]
        assert {(row.state, row.attempts) for row in waits} == {("pending", 0)}
        due = sorted(row.due_at for row in waits)
        assert moment < due[0] and (due[-1] - due[0]).total_seconds() >= 1.5  # some twenty a second
        gate.open.set()
    assert len(gate.asked) == 2


def test_a_slow_receiver_does_not_set_the_pace_of_the_worker(gate, contribute):
    """What is sent within the job goes first, and the patience of the worker is small in the long run too."""
    gate.pause = 1.0
    gate.open.set()
    told = []
    quick = type("Quick", (Gate,), {"name": "quick", "threads": 0, "send": lambda _, message: told.append(message)})()
    contribute(channels=(quick,))
    rows = [
        {"event_id": ObjectId(), "channel": name, "recipient_id": ObjectId(), "kind": "webhook.test", "body": "{}"}
        for _ in range(100)
        for name in ("gate", "quick")
    ]
    with thread_pool.opened():
        deliveries.send_all(deliveries.plan(rows))
        assert len(told) == 100
        assert len(gate.asked) < 80  # a hundred of a second each, two at a time, would hold the worker for fifty


def test_threads_are_free_again(gate):
    gate.open.set()
    with thread_pool.opened():
        for number in range(1, 11):
            deliveries.send_all(claimed(2))
            eventually(lambda number=number: Delivery.objects(state="sent").count() == 2 * number, "the next two")
    assert len(gate.told) == 20


def test_without_threads_a_message_is_sent_within_the_job(gate):
    gate.open.set()
    deliveries.send_all(claimed(3))
    assert len(gate.told) == 3


def test_one_whose_claim_is_nearly_over_is_handed_out_again_at_once_and_as_if_new(gate):
    gate.open.set()
    (late,) = claimed(1)
    late.update(set__claimed_until=now())
    deliveries.send_all([late.reload()])
    assert gate.asked == []
    late.reload()
    assert (late.state, late.attempts) == ("pending", 0) and late.due_at <= now()


def test_what_ends_badly_in_a_thread_leaves_it_free(gate, monkeypatch):
    gate.open.set()
    monkeypatch.setattr(deliveries, "_finish", lambda *_: 1 / 0)
    with thread_pool.opened():
        deliveries.send_all(claimed(2))
        eventually(lambda: thread_pool.run("gate", 2, lambda: None), "a free lane")
    assert len(gate.told) == 2


def test_a_channel_that_lacks_something_is_named_when_it_is_installed(contribute):
    class Old:
        name, queue, seconds, grouped = "old", "low", 1.0, False

        def reaches(self, user_ids):
            return set()

        def send(self, message):
            """Nothing."""

    with pytest.raises(Misconfigured, match=r"\(threads missing\), not a .*Old"):
        contribute(channels=(Old(),))


def test_moments_are_given_out_in_order():
    throttle, moment = Throttle(10), now()
    moments = [throttle.next("a", moment) for _ in range(3)]
    assert [(at - moment).total_seconds() for at in moments] == pytest.approx([0, 0.1, 0.2])
    assert throttle.next("b", moment) == moment
    assert throttle.next("a", moment + timedelta(seconds=9)) == moment + timedelta(seconds=9)
