"""What one attempt costs: its notices are written, and what their recipients want is read, once."""

import pytest

from taskmanager.core import jobs
from taskmanager.core.events import outbox
from taskmanager.core.events.log import correlation
from taskmanager.core.servers.stores import queue_store
from taskmanager.features.notifications.content import registry
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.notifications.policy import levels
from taskmanager.testing.mailbox import text_of
from tests.features.notifications.conftest import prefer
from tests.features.notifications.delivery.due import due, email
from workers.worker import Worker


class Counted:
    """A function of ours that is called as before, and counts."""

    def __init__(self, function):
        self._function, self.calls = function, 0

    def __call__(self, *args, **named):
        self.calls += 1
        return self._function(*args, **named)


@pytest.fixture
def written(monkeypatch):
    counted = Counted(registry.write_notices)
    monkeypatch.setattr(registry, "write_notices", counted)
    return counted


@pytest.fixture
def policies(monkeypatch):
    counted = Counted(levels.load_policies)
    monkeypatch.setattr(levels, "load_policies", counted)
    return counted


@pytest.fixture
def failed(failing):
    """A mail that the server did not take, due again."""
    due(failing)
    return email()


def test_what_is_told_at_once_is_written_once_for_all_channels(scene, assign, mail, deliver, written, policies):
    member = scene.member()
    deliver()
    written.calls = policies.calls = 0
    assign(member)
    deliver()
    assert len(mail.messages) == 1
    assert Delivery.objects(state="sent", kind="task.assigned").count() == 2
    assert (written.calls, policies.calls) == (1, 1)


def test_a_later_attempt_is_logged_with_the_request_that_caused_it(scene, mail, deliver, contribute, monkeypatch):
    """Also when the request is not traced: its job is enqueued by the relay, from the stored delivery."""
    monkeypatch.setattr(Worker, "_install_signal_handlers", lambda worker: None)  # those of the tests stay
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"
    member, mail.refusing = scene.member(), True
    body = {"title": "a", "assignee_ids": [str(member.user.id)]}
    assert (
        scene.owner.post(
            scene.tasks_path, json=body, headers={"X-Request-ID": "mine-6", "traceparent": f"{caller}-01"}
        ).status_code
        == 201
    )
    deliver()
    delivery = Delivery.objects(request_id="mine-6", channel="email").get()
    assert delivery.traceparent == f"{caller}-00"
    seen = []
    contribute(jobs=(jobs.Job("tests.sees", lambda item_id: seen.append(correlation.get())),))
    outbox.enqueue("high", "tests.sees", delivery.id, "x", jobs.origin_of(delivery))
    Worker([outbox.queue("task-high")], connection=queue_store()).work(burst=True)
    assert seen == [{"request_id": "mine-6", "traceparent": f"{caller}-00"}]


def test_an_attempt_writes_its_notice_and_reads_the_policy_once(failed, mail, written, policies):
    deliveries.send(failed.id)
    assert email().state == "sent"
    assert (written.calls, policies.calls) == (1, 1)


def test_an_attempt_asks_nothing_twice(failed, mail, commands):
    deliveries.send(failed.id)  # what is kept of people and projects is known now
    Delivery.objects(id=failed.id).update(set__state="pending", set__attempts=1, unset__ended_at=True)
    due(failed)
    with commands.counted() as sent:
        deliveries.send(failed.id)
    assert email().state == "sent"
    assert sent == [
        *("find", "findAndModify", "find"),  # the delivery, its claim, what goes with it
        *("find", "find", "find", "find"),  # the event; of the writer the members, the task and the project
        *("find", "find", "find"),  # who may act, and what they prefer: in general, in the project
        *("find", "findAndModify"),  # whether the address is proved; its budget
        *("update", "update"),  # what came of it, also for what goes with it
    ]


def test_of_a_group_what_was_just_written_is_not_written_again(scene, assign, mail, deliver, written):
    """An urgent notice takes along what waits of the same task; only that is written anew."""
    member = scene.member()
    prefer(member, level="all")
    scene.owner.post(f"{scene.task_path}/comments", json={"text": "A comment that waits"})
    deliver()
    written.calls = 0
    assign(member)
    deliver()
    (message,) = mail.to(member.user.email)
    assert "A comment that waits" in text_of(message)
    assert written.calls == 2  # the assignment, and the comment
