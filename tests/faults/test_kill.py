"""Kill -9 of the relay and of the worker at random moments, under a stream of assignments.

CHAOS_ASSIGNMENTS sets how many assignments (60 by default; `make chaos` makes more).
"""

import os
import random
import time

import pytest

from tests.faults.assignments import Assignments
from tests.faults.stack import Stack

pytestmark = pytest.mark.timeout(600)

ASSIGNMENTS = int(os.environ.get("CHAOS_ASSIGNMENTS", "60"))
ROUNDS = max(3, ASSIGNMENTS // 20)


def test_every_assignee_has_the_mail_once_whatever_is_killed(stack: Stack, capsys):
    stack.start("relay", "worker")
    assignments, kills, before = Assignments(), 0, stack.mailed()
    started = time.monotonic()
    for _ in range(ROUNDS):
        for _ in assignments.make(ASSIGNMENTS // ROUNDS):
            if random.random() < 3 * ROUNDS / ASSIGNMENTS:
                name = random.choice(["relay", "worker"])
                stack.kill(name)
                time.sleep(random.random() * 0.3)
                stack.start(name)
                kills += 1
    stack.delivered(300)
    seconds = time.monotonic() - started
    mailed = stack.mailed() - before
    duplicates = sum(mailed.values()) - len(mailed)
    with capsys.disabled():
        print(
            f"\n{assignments.made} assignments, {kills} kills, {len(mailed)} mails, {duplicates} twice, {seconds:.1f} s"
        )
    assert len(mailed) == assignments.made
    assert duplicates <= kills  # only what was killed between the server's "250" and our note of it is sent again


def test_a_worker_that_is_asked_to_stop_finishes_its_job(stack: Stack):
    stack.start("relay", "worker")
    before = len(stack.mailed())
    for _ in Assignments().make(5):
        pass
    stack.wait(lambda: len(stack.mailed()) > before, 20, "the first mail")
    assert stack.processes["worker"].stop() < 5
    assert stack.processes["relay"].stop() < 3
    stack.start("relay", "worker")
    stack.delivered(30)
    assert (len(stack.mailed()), sum(stack.mailed().values())) == (before + 5, before + 5)
