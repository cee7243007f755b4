"""Deliveries: made once, tried again at growing intervals for a day, given up then, never lost between two steps."""

from datetime import timedelta

import pytest
from bson import ObjectId
from pydantic import SecretStr

from taskmanager.core.clock import now
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.core.servers.stores import queue_store
from taskmanager.features.notifications import service
from taskmanager.features.notifications.delivery import maintenance, service as deliveries
from taskmanager.features.notifications.models import Delivery
from tests.features.notifications.conftest import prefer
from tests.features.notifications.delivery.due import due, email
from tests.scene import patch


def test_a_failure_is_written_down_and_tried_again_later(failing, mail, deliver):
    assert (failing.state, failing.attempts) == ("pending", 1)
    assert "451" in failing.last_error
    # its claim ended with the attempt, however long ago that is
    assert timedelta(seconds=4) <= failing.due_at - failing.claimed_until <= timedelta(seconds=6)
    due(failing)
    deliver()
    assert (email().state, email().attempts, email().last_error, email().due_at) == ("sent", 2, None, None)
    assert len(mail.messages) == 1


def test_what_is_kept_of_a_failure_holds_nothing_of_the_settings(scene, assign, mail, deliver, change_settings):
    change_settings(metrics_token=SecretStr("try again later"))
    mail.refusing = True
    assign(scene.member())
    deliver()
    assert email().last_error == "SMTPDataError: (451, b'[TASKMANAGER_METRICS_TOKEN]')"


def test_the_message_id_is_the_same_at_each_attempt(failing, mail, deliver):
    due(failing)
    deliver()
    assert mail.messages[0]["Message-ID"] == f"<{failing.id}.email@127.0.0.1>"


def test_after_a_day_it_is_given_up_and_kept(failing, mail, deliver):
    mail.refusing = True
    due(failing, set__attempts=12, set__first_at=now() - timedelta(hours=25))
    deliver()
    assert email().state == "pending"
    due(failing, set__first_at=now() - timedelta(hours=27))
    deliver()
    assert (email().state, email().due_at) == ("dead", None)
    assert email().expires_at > now() + timedelta(days=80)


def test_an_address_that_is_refused_for_good_is_not_tried_again(scene, assign, mail, deliver):
    member = scene.member()
    mail.unknown = {member.user.email}
    assign(member)
    deliver()
    assert (email().state, email().attempts) == ("dead", 1)
    assert "550" in email().last_error


def test_an_address_that_is_refused_for_now_is_tried_again(scene, assign, mail, deliver):
    member = scene.member()
    mail.busy = {member.user.email}
    assign(member)
    deliver()
    assert (email().state, email().attempts) == ("pending", 1)


def test_one_refused_address_does_not_hold_up_others(scene, assign, mail, deliver):
    first, second = scene.member(), scene.member()
    mail.unknown = {first.user.email}
    assign(first, second)
    deliver()
    assert len(mail.to(second.user.email)) == 1


def test_an_emptied_queue_loses_no_delivery(failing, mail, deliver):
    due(failing)
    outbox.relay_batch()
    queue_store().flushdb()
    due(failing)
    deliver()
    assert len(mail.messages) == 1


def test_a_worker_that_died_between_planning_and_sending_is_made_up_for(scene, assign, mail, deliver, monkeypatch):
    member = scene.member()
    with monkeypatch.context() as patched:
        patched.setattr(deliveries, "send_all", lambda *args: None)
        assign(member)
        deliver()
    assert (email().state, len(mail.messages)) == ("pending", 0)
    assert email().due_at < now() + timedelta(seconds=30)
    due(email())
    deliver()
    assert len(mail.messages) == 1


def test_who_has_claimed_a_delivery_is_alone_with_it(failing, mail):
    due(failing)
    first = deliveries._claim(deliveries.grouping.leader_of(failing.id))
    assert first is not None
    assert deliveries._claim(deliveries.grouping.leader_of(failing.id)) is None
    deliveries.send(failing.id)
    assert mail.messages == []


def test_one_that_took_too_long_does_not_overwrite_what_another_did(failing):
    due(failing)
    slow = deliveries._claim(deliveries.grouping.leader_of(failing.id))
    due(failing)
    fast = deliveries._claim(deliveries.grouping.leader_of(failing.id))
    deliveries._finish(fast, "sent", None, None)
    deliveries._fail(slow, OSError("late"))
    assert email().state == "sent"


def test_a_repeated_event_makes_no_second_delivery(scene, assign, mail, deliver):
    assign(scene.member())
    deliver()
    service.notify(Event.objects(kind="task.updated").get())
    assert len(mail.messages) == 1


def test_the_sweep_hands_out_what_no_one_looks_at(failing):
    failing.modify(unset__due_at=True)
    assert maintenance.sweep() == 1
    assert email().due_at is not None


class Odd:
    """A channel that raises something that no one expected."""

    name, queue, seconds, grouped, threads = "odd", "low", 1.0, False, 0

    def reaches(self, user_ids):
        return set(user_ids)

    def send(self, message):
        raise KeyError("surprise")


@pytest.fixture
def odd(contribute):
    contribute(channels=(Odd(),))


def test_whatever_a_channel_does_the_others_go_on(odd, scene, assign, mail, deliver):
    member = scene.member()
    prefer(member, channels={"odd": {"task.assigned": True}})
    assign(member)
    deliver()
    assert len(mail.to(member.user.email)) == 1
    assert "surprise" in Delivery.objects(channel="odd").get().last_error


def test_a_channel_that_was_uninstalled_is_not_waited_for(scene, deliver):
    row = {"event_id": ObjectId(), "channel": "gone", "recipient_id": ObjectId(), "due_at": now()}
    deliveries.plan([row])
    deliver()
    assert Delivery.objects(channel="gone").get().state == "cancelled"


def test_a_connection_that_the_mail_server_closed_is_made_anew(scene, assign, mail, deliver):
    first, second = scene.member(), scene.member()
    assign(first)
    deliver()
    mail.hang_up()
    assign(first, second)
    deliver()
    assert len(mail.to(second.user.email)) == 1
    patch(scene.owner, scene.task_path, {"title": "End"})


def test_what_comes_of_attempts_is_counted_by_channel(scene, assign, mail, deliver):
    known, busy = scene.member(), scene.member()
    mail.unknown = {known.user.email}
    mail.busy = {busy.user.email}
    assign(known, busy, scene.member())
    deliver()
    counted = {words: number for words, number in deliveries.ATTEMPTS.totals().items() if words[0] == "email"}
    assert counted == {("email", "dead"): 1, ("email", "failed"): 1, ("email", "sent"): 1}
