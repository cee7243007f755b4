"""Deliveries that go out as one message: sent once, by whichever worker, and the same at each attempt."""

import threading

import pytest
import time_machine

from taskmanager.core.clock import now
from taskmanager.features.notifications.delivery import (
    grouping,
    maintenance,
    service as deliveries,
)
from taskmanager.features.notifications.models import Delivery
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import prefer


def test_the_sweep_settles_those_that_follow_one_that_is_settled(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, level="all")
    for text in ("One", "Two"):
        scene.owner.post(f"{scene.task_path}/comments", json={"text": text})
    later()
    led = Delivery.objects(channel="email", leader_id__ne=None).get()
    led.modify(set__state="pending")
    assert maintenance.sweep() == 1
    assert led.reload().state == "sent"
    led.modify(set__state="pending")
    led.modify(unset__due_at=True)
    Delivery.objects(id=led.leader_id).delete()
    led.modify(set__state="pending")
    maintenance.sweep()
    assert led.reload().due_at is not None and led.leader_id is None


def test_a_claim_is_prolonged_while_a_large_group_is_made(scene, mail, deliver, monkeypatch):
    member = scene.member()
    prefer(member, level="all")
    for number in range(3):
        scene.owner.post(f"{scene.task_path}/comments", json={"text": f"Text {number}"})
    deliver()
    Delivery.objects(state="pending").update(set__due_at=now(), set__claimed_until=now())
    first = Delivery.objects(channel="email", state="pending").order_by("id").first()
    make, ends = grouping.notices.write_notices, []

    def slow(*what):
        ends.append(first.reload().claimed_until)
        travel.shift(6)  # three of them take longer than a claim lasts
        return make(*what)

    monkeypatch.setattr(grouping.notices, "write_notices", slow)
    with time_machine.travel(now(), tick=True) as travel:
        deliveries.send(first.id)
    assert ends == sorted(set(ends)) and len(ends) == 3
    (message,) = mail.to(member.user.email)
    assert "Text 2" in text_of(message)


@pytest.mark.parametrize("comments", [2, 5])
def test_several_workers_at_a_group_send_one_message(scene, mail, deliver, comments):
    member = scene.member()
    prefer(member, level="all")
    for number in range(comments):
        scene.owner.post(f"{scene.task_path}/comments", json={"text": f"Text {number}"})
    deliver()
    waiting = list(Delivery.objects(channel="email", state="pending").order_by("-id").scalar("id"))
    together = threading.Barrier(comments)

    def work(delivery_id):
        together.wait()
        deliveries.send(delivery_id)

    threads = [threading.Thread(target=work, args=(delivery_id,)) for delivery_id in waiting]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (message,) = mail.messages
    text = message.get_body(("plain",)).get_content()
    assert [f"Text {number}" in text for number in range(comments)] == [True] * comments
    assert Delivery.objects(channel="email", state="sent").count() == comments


def test_a_group_that_is_sent_again_is_the_same(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, level="all")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "One"})
    mail.refusing = True
    later()
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "Two"})
    mail.refusing = False
    later()
    texts = [message.get_body(("plain",)).get_content() for message in mail.messages]
    assert ["One" in text and "Two" not in text for text in texts] in ([True, False], [False, True])


def test_a_group_that_was_given_up_is_replayed_one_by_one(scene, mail, deliver, later):
    member = scene.member()
    prefer(member, level="all")
    mail.unknown = {member.user.email}
    for text in ("One", "Two"):
        scene.owner.post(f"{scene.task_path}/comments", json={"text": text})
    later()
    mail.unknown = set()
    dead = list(Delivery.objects(channel="email", state="dead"))
    assert [deliveries.replay(delivery.id) for delivery in dead] == [True, True]
    deliver()
    texts = [message.get_body(("plain",)).get_content() for message in mail.messages]
    assert len(texts) == 2 and sum("One" in text for text in texts) == sum("Two" in text for text in texts) == 1
