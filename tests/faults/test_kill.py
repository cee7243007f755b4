"""Kill -9 of everything that has to do with telling people, at random moments, under a stream of assignments.

Members follow the live stream and sync meanwhile.

CHAOS_ASSIGNMENTS sets how many assignments (60 by default), CHAOS_OUTAGE_SECONDS how long the queue is away (4):
`make chaos` makes 2,000 and a minute of them.
"""

import os
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from taskmanager.core.events import outbox
from taskmanager.core.servers.stores import queue_store
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery, Notification
from taskmanager.features.webhooks import service as webhooks
from taskmanager.testing.factories import owner_of
from tests.faults.assignments import Assignments
from tests.faults.followers import Followers
from tests.faults.stack import Stack, eventually, is_ready, kill

pytestmark = pytest.mark.timeout(3600)

ASSIGNMENTS = int(os.environ.get("CHAOS_ASSIGNMENTS", "60"))
OUTAGE_SECONDS = float(os.environ.get("CHAOS_OUTAGE_SECONDS", "4"))
KILLS = max(8, ASSIGNMENTS // 20)
# So long before a kill something may have been accepted whose note was lost with it, on a machine under load.
NOTED_WITHIN_SECONDS = 5.0
_PROCESSES = ("relay", "worker", "worker-2", "scheduler", "hooks")
_LIVE = ("web", "stream")


class Chaos:
    """Ends one thing at random, and starts it again a moment later."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.done: Counter[str] = Counter()
        self.at: list[tuple[str, float]] = []
        self._pending: list[Callable[[], None]] = []

    def strike(self) -> None:
        """One fault; the one before is mended first, so that not everything is down at once."""
        self.fix()
        what = random.choice([*_PROCESSES, *_LIVE, "queue", "cache", "mail"])
        self.done[what] += 1
        if what in (*_PROCESSES, *_LIVE):
            self.stack.revive()
            self.stack.kill(what)
            self._pending.append(lambda: self.stack.start(what))
        else:
            server = {"queue": self.stack.queue, "cache": self.stack.cache, "mail": self.stack.sink}[what]
            kill(server)
            self._pending.append(server.start)
        self.at.append((what, time.time()))

    def empty_queue(self) -> None:
        """All that was handed out and not done yet is forgotten."""
        self.fix()
        queue_store().flushall()
        self.done["queue emptied"] += 1

    def fix(self) -> None:
        """Start again what was ended."""
        while self._pending:
            self._pending.pop()()
        self.revive()

    def revive(self) -> None:
        """Start what has ended by itself, as a supervisor would."""
        if ended := self.stack.revive():
            self.done["ended by itself"] += ended
            self.at.append(("ended", time.time()))

    def explain(self, received: dict[Any, list[float]], *cut_by: str) -> list[Any]:
        """What was received again although nothing was cut off when it was received before."""
        cuts = [at for what, at in self.at if what in (*cut_by, "worker", "worker-2", "ended")]
        return [
            name
            for name, times in received.items()
            for at in times[:-1]
            if not any(0 <= cut - at + 0.5 <= NOTED_WITHIN_SECONDS + 0.5 for cut in cuts)
        ]


def test_everybody_is_told_once_on_each_channel_whatever_is_killed(stack: Stack, capsys, tmp_path):
    stack.start(*_PROCESSES, *_LIVE)
    assignments, chaos = Assignments(), Chaos(stack)
    eventually(lambda: is_ready(stack), "web and stream")
    followers = Followers(stack, assignments.people[:3], assignments.project.id, tmp_path)
    eventually(followers.attached, "streams and syncs")
    hook = {"url": stack.hook_url, "events": ["task.updated"]}
    webhooks.create(assignments.project.id, hook, actor=owner_of(assignments.project.id))
    eventually(lambda: stack.processes["hooks"].running)
    stack.delivered()  # also the mail that tells its owner of the webhook
    before, started = set(stack.mailed_at()), time.monotonic()
    strikes = set(random.sample(range(ASSIGNMENTS), min(KILLS, ASSIGNMENTS // 2)))
    for number, _ in enumerate(assignments.make(ASSIGNMENTS)):
        if number in strikes:
            chaos.strike()
        if number == ASSIGNMENTS // 2:
            chaos.empty_queue()
    chaos.fix()
    _settle(stack, chaos)
    mailed, hooked = stack.mailed_at(), stack.hooked_at()
    mailed = {name: times for name, times in mailed.items() if name not in before}
    _tell(capsys, assignments.made, chaos, mailed, hooked, time.monotonic() - started)
    followed = followers.end(assignments.made)
    with capsys.disabled():
        print(followed)
    here = {"project_id": assignments.project.id}
    assert {delivery.state for delivery in Delivery.objects(**here)} == {"sent"}
    assert len(mailed) == len(hooked) == assignments.made
    assert Notification.objects(kind="task.assigned", **here).count() == assignments.made
    # only what was cut off between the receiver's yes and our note of it is sent again
    assert chaos.explain(mailed, "mail") == []
    assert chaos.explain(hooked, "hooks") == []


def _settle(stack: Stack, chaos: Chaos) -> None:
    """Wait until nothing is left to be done, reviving what ends by itself as a supervisor would."""

    def settled() -> bool:
        chaos.revive()
        return outbox.count_pending() + deliveries.count_pending() == 0

    eventually(settled, "the delivery of everything", 600)


def _tell(capsys, made: int, chaos: Chaos, mailed: dict, hooked: dict, seconds: float) -> None:
    faults = ", ".join(f"{what} {number}" for what, number in sorted(chaos.done.items()) if number)
    twice = [sum(len(times) - 1 for times in received.values()) for received in (mailed, hooked)]
    with capsys.disabled():
        print(
            f"\n{made} assignments; killed: {faults}; {len(mailed)} mails, {twice[0]} twice; "
            f"{len(hooked)} webhooks, {twice[1]} twice; all settled after {seconds:.1f} s"
        )


def test_a_killed_worker_is_made_up_for_within_thirty_seconds(stack: Stack, capsys):
    """With the settings as they are by default, a job is taken up again after ten seconds of silence."""
    stack.start("relay", "worker", "worker-2")
    before = len(stack.mailed())
    assignments = Assignments()
    for _ in assignments.make(20):
        pass
    stack.kill("worker")
    stack.kill("worker-2")
    stack.start("worker")
    seconds = stack.delivered()
    with capsys.disabled():
        print(f"\nall delivered {seconds:.1f} s after the workers were killed")
    assert len(stack.mailed()) == before + 20


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-2:] == ["workers.cli", "worker"] and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.NoSuchProcess, IndexError):
        return False


def test_a_pool_starts_again_what_ends_and_stops_as_a_whole(stack: Stack):
    for name in ("worker", "worker-2"):
        if name in stack.processes:
            stack.processes[name].stop()
    stack.start("relay", "pool")

    def workers():
        found = [psutil.Process(p.pid) for p in psutil.Process().children(recursive=True) if p.is_running()]
        return [p for p in found if _is_worker(p)]

    eventually(lambda: len(workers()) == 2, "two workers")
    victim = workers()[0]
    victim.kill()
    eventually(lambda: len(workers()) == 2 and victim not in workers(), "another worker")
    before = len(stack.mailed())
    for _ in Assignments().make(5):
        pass
    stack.delivered()
    assert len(stack.mailed()) == before + 5
    assert stack.processes["pool"].stop() == 0
    assert workers() == []


def test_a_queue_that_is_away_for_a_while_ends_no_worker(stack: Stack):
    for name in ("worker", "worker-2"):
        if name in stack.processes:
            stack.processes[name].stop()
    stack.start("relay", "worker")
    kill(stack.queue)
    try:
        for _ in Assignments().make(3):
            pass
        before = len(stack.mailed())
        time.sleep(OUTAGE_SECONDS)  # long enough for the worker to meet the outage, several times
        assert stack.processes["worker"].running
    finally:
        stack.queue.start()
    stack.delivered()
    assert len(stack.mailed()) == before + 3


def test_a_worker_that_is_asked_to_stop_finishes_its_job(stack: Stack):
    stack.start("relay", "worker")
    before = stack.mailed()  # some of them twice, when what sent them was killed
    for _ in Assignments().make(5):
        pass
    stack.wait(lambda: len(stack.mailed()) > len(before), "the first mail")
    assert [stack.processes[name].stop() for name in ("worker", "relay")] == [0, 0]
    stack.start("relay", "worker")
    stack.delivered()
    assert sorted((stack.mailed() - before).values()) == [1] * 5
