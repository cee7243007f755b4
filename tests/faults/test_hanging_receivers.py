"""Receivers that take connections and say nothing hold up no others: one worker, timeouts twice those of production."""

import time
from collections.abc import Iterator

import pytest

from taskmanager.features.webhooks import service as webhooks
from tests.factories import owner_of
from tests.faults.assignments import Assignments
from tests.faults.conftest import running
from tests.faults.stack import Stack, eventually, freeze, thaw

SECONDS = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory, settings) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("hanging")
    waits = {"mail_timeout_seconds": SECONDS, "webhook_timeout_seconds": SECONDS, "job_silence_seconds": SECONDS}
    with running(folder, settings, **waits) as stack:
        stack.start("hooks", "relay")
        yield stack


@pytest.fixture(scope="module")
def assignments(stack) -> Assignments:
    """Of a project with two webhooks, one of which hangs."""
    made = Assignments()
    for path in ("hang", "ok"):
        hook = {"url": stack.hook_url + path, "events": ["task.updated"]}
        webhooks.create(made.project.id, hook, actor=owner_of(made.project.id))
    return made


def test_a_webhook_that_hangs_holds_up_neither_the_others_nor_mail(stack, assignments):
    stack.start("worker")
    mails, hooks = len(stack.mailed()), len(stack.hooked("/ok"))
    for _ in assignments.make(20):
        pass
    eventually(lambda: len(stack.hooked("/ok")) == hooks + 20, SECONDS - 2, "webhooks beside one that hangs")
    eventually(lambda: len(stack.mailed()) == mails + 20, SECONDS - 2, "mails beside a webhook that hangs")


def test_a_mail_server_that_hangs_holds_up_no_webhooks_and_loses_no_mail(stack, assignments):
    stack.start("worker")
    mails, hooks = len(stack.mailed()), len(stack.hooked("/ok"))
    freeze(stack.sink)
    try:
        for _ in assignments.make(20):
            pass
        eventually(lambda: len(stack.hooked("/ok")) == hooks + 20, SECONDS - 2, "webhooks beside mail that hangs")
    finally:
        thaw(stack.sink)
    eventually(lambda: len(stack.mailed()) == mails + 20, 60, "the mails afterwards")


def test_a_worker_that_is_asked_to_stop_waits_for_what_is_under_way_only(stack, assignments):
    stack.start("worker")
    known = len(stack.hooked("/ok"))
    for _ in assignments.make(1):
        pass
    eventually(lambda: len(stack.hooked("/ok")) == known + 1, SECONDS)
    began = time.monotonic()
    stack.processes["worker"].stop()
    assert time.monotonic() - began < SECONDS + 15  # the receiver hangs for a minute
