"""Two relays, two schedulers, two kinds of worker at once: nothing is done twice."""

import signal

import pytest

from taskmanager.core.clock import now
from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.storage.lease import LeaseRecord
from tests.faults.assignments import Assignments
from tests.faults.stack import Stack

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def two_relays(stack: Stack) -> Stack:
    stack.start("relay", "relay-2", "worker")
    stack.wait(lambda: LeaseRecord.objects(name="relay").first(), "a relay at work")
    return stack


def assign(number):
    for _ in Assignments().make(number):
        pass


def working(stack):
    """The relay that holds the lease, by what both have logged last."""
    return max(
        ("relay", "relay-2"), key=lambda name: stack.processes[name].log.read_text().rfind('"message":"working"')
    )


def test_two_relays_send_each_mail_once(two_relays):
    assign(30)
    two_relays.delivered()
    assert set(two_relays.mailed().values()) == {1}


def test_the_second_relay_takes_over_from_one_that_hangs_and_they_do_no_harm_together(two_relays):
    hung = working(two_relays)
    before = sum(two_relays.mailed().values())
    two_relays.processes[hung].signal(signal.SIGSTOP)
    assign(10)
    two_relays.delivered()
    two_relays.processes[hung].signal(signal.SIGCONT)  # it believes that it holds the lease still
    assign(20)
    two_relays.delivered()
    assert sum(two_relays.mailed().values()) == before + 30 == len(two_relays.mailed())
    two_relays.wait(lambda: not positions.are_waiting(), "the positions of all events")
    found = list(Event.objects.order_by("position").scalar("position", "stream", "seq"))
    assert [position for position, _, _ in found] == list(range(1, positions.head() + 1))
    of_streams = sorted(found, key=lambda one: one[1])  # stable: each stream in the order of its positions
    assert of_streams == sorted(found, key=lambda one: one[1:])


def test_two_schedulers_run_a_periodic_job_once(stack: Stack):
    Event(kind="task.created", stream="project:none", seq=1, at=now(), died_at=now()).save()  # told of at each run
    stack.start("scheduler", "scheduler-2")
    logs = [stack.processes[name].log for name in ("scheduler", "scheduler-2")]
    stack.wait(lambda: all('"message":"started"' in log.read_text() for log in logs), "the start of both")
    stack.wait(lambda: runs(logs), "the first run")
    stack.processes["scheduler"].stop()
    stack.processes["scheduler-2"].stop()
    assert runs(logs) == 1


def runs(logs):
    return sum(log.read_text().count('"log.logger":"taskmanager.outbox"') for log in logs)
