"""Receivers that take connections and say nothing hold up no others: one worker, timeouts twice those of production."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from rq import Worker

from taskmanager.core.servers.stores import queue_store
from taskmanager.features.webhooks import service as webhooks
from taskmanager.testing.factories import owner_of
from tests.faults.assignments import Assignments
from tests.faults.conftest import running
from tests.faults.stack import Stack, eventually, freeze, thaw

SECONDS = 20
MADE = 5  # few, so that the work is far below these seconds on a machine with other work


@pytest.fixture(scope="module")
def stack(tmp_path_factory, settings) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("hanging")
    waits = {"mail_timeout_seconds": SECONDS, "webhook_timeout_seconds": SECONDS, "job_silence_seconds": SECONDS}
    with running(folder, settings, **waits) as stack:
        stack.start("hooks", "relay")
        yield stack


@pytest.fixture
def assignments(stack) -> Assignments:
    """Of a project with two webhooks, one of which hangs."""
    made = Assignments()
    for path in ("hang", f"ok-{made.project.id}"):
        hook = {"url": stack.hook_url + path, "events": ["task.updated"]}
        webhooks.create(made.project.id, hook, actor=owner_of(made.project.id))
    return made


def start_worker(stack: Stack) -> float:
    """Start it and wait until it takes jobs; answers when that was."""
    stack.start("worker")
    eventually(lambda: Worker.count(connection=queue_store()), "a worker that takes jobs")
    return time.time()


def mailed(stack: Stack, made: Assignments) -> dict[Any, list[float]]:
    """The mails about tasks of this test's project: what was left to do of another test's may come now."""
    return stack.mailed_at(f"[{made.project.key}-")


def hooked(stack: Stack, made: Assignments) -> dict[str, list[float]]:
    """What came of this test to the webhook that does not hang."""
    return stack.hooked_at(f"/ok-{made.project.id}")


def times(received: dict[Any, list[float]], since: float = 0.0) -> list[float]:
    return [at for times in received.values() for at in times if at >= since]


def test_a_webhook_that_hangs_holds_up_neither_the_others_nor_mail(stack, assignments):
    began = start_worker(stack)
    for _ in assignments.make(MADE):
        pass
    eventually(lambda: len(hooked(stack, assignments)) == MADE, "webhooks beside one that hangs")
    eventually(lambda: len(mailed(stack, assignments)) == MADE, "mails beside a webhook that hangs")
    given_up = min(times(stack.hooked_at("/hang"), since=began)) + SECONDS
    assert max(times(hooked(stack, assignments))) < given_up
    assert max(times(mailed(stack, assignments))) < given_up


def test_a_mail_server_that_hangs_holds_up_no_webhooks_and_loses_no_mail(stack, assignments):
    start_worker(stack)
    freeze(stack.sink)
    began = time.time()
    try:
        for _ in assignments.make(MADE):
            pass
        eventually(lambda: len(hooked(stack, assignments)) == MADE, "webhooks beside mail that hangs")
        assert max(times(hooked(stack, assignments))) < began + SECONDS
    finally:
        thaw(stack.sink)
    eventually(lambda: len(mailed(stack, assignments)) == MADE, "the mails afterwards")


def test_a_worker_that_is_asked_to_stop_waits_for_what_is_under_way_only(stack, assignments):
    start_worker(stack)
    for _ in assignments.make(1):
        pass
    eventually(lambda: len(hooked(stack, assignments)) == 1)
    assert stack.processes["worker"].stop() == 0
