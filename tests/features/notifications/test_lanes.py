"""Sending beside a worker's jobs: who hangs holds up nobody else, and nothing is cut off."""

import threading
import time

import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.features.notifications import channels, deliveries, lanes
from taskmanager.features.notifications.models import Delivery


class Gate:
    """A channel whose receivers answer when they are let."""

    name, queue, bundled, seconds, lanes = "gate", "low", False, 30.0, 2

    def __init__(self):
        self.open = threading.Event()
        self.asked, self.told = [], []

    def reaches(self, user_ids):
        return set(user_ids)

    def send(self, message):
        self.asked.append(message.delivery.id)
        assert self.open.wait(20)
        self.told.append(message.delivery.id)


@pytest.fixture
def gate(app, monkeypatch):
    monkeypatch.setattr(channels, "_channels", dict(channels._channels))
    gate = Gate()
    channels.register(gate)
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
    with lanes.opened():
        deliveries.send_all(claimed(2))
        assert time.monotonic() - began < 2
        assert Delivery.objects(state="pending").count() == 2
        threading.Timer(0.3, gate.open.set).start()
    assert len(gate.told) == 2
    assert Delivery.objects(state="sent").count() == 2


def test_what_finds_all_lanes_taken_is_put_off_without_an_attempt_for_longer_each_time(gate):
    with lanes.opened():
        deliveries.send_all(claimed(2))
        for _ in range(4):
            (late,) = claimed(1)
            began = time.monotonic()
            deliveries.send_all([late])
            assert time.monotonic() - began < 2  # the worker waits for a free lane once, and not for long
        late = late.reload()
        assert (late.state, late.attempts, late.waits) == ("pending", 0, 1)
        assert now() < late.due_at
        for waits in (2, 3):
            late.modify(set__due_at=now(), set__claimed_until=now())
            deliveries.send(late.id)
            assert late.reload().waits == waits
        assert (late.due_at - now()).total_seconds() > 2
        gate.open.set()
    assert len(gate.asked) == 2


def test_lanes_are_free_again(gate):
    gate.open.set()
    with lanes.opened():
        deliveries.send_all(claimed(30))
    assert len(gate.told) == 30
    assert Delivery.objects(state="sent").count() == 30


def test_without_lanes_a_message_is_sent_within_the_job(gate):
    gate.open.set()
    deliveries.send_all(claimed(3))
    assert len(gate.told) == 3


def test_one_whose_claim_is_nearly_over_is_left_to_be_handed_out_again(gate):
    gate.open.set()
    (late,) = claimed(1)
    late.claimed_until = now()
    deliveries.send_all([late])
    assert gate.asked == []
    assert late.reload().state == "pending"
