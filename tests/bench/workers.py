"""`make bench-workers`: how fast events become mails and webhooks with two workers, beside plain RQ jobs.

Prints events a second from a backlog to acceptance by the receiver, for our workers, for plain jobs of RQ's own worker
(which forks) and of its SimpleWorker, and the ratios; then the time from commit to accepted mail at 50 events a second.
Everything runs on this machine: what counts are the ratios.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from email import message_from_bytes
from pathlib import Path

from rq import Queue
from rq.serializers import JSONSerializer

from migrations import runner
from taskmanager.app import create_app
from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.core.servers.stores import queue_store
from taskmanager.core.storage import database
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.webhooks import service as webhooks
from taskmanager.testing.factories import ProjectFactory, TaskFactory, owner_of
from tests.faults.assignments import Assignments
from tests.faults.stack import ROOT, Stack, accepted_at, eventually

WORKERS = ("worker-1", "worker-2")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Throughput and delay of the workers")
    parser.add_argument("--events", type=int, default=1000, help="backlog of each run")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns")
    parser.add_argument("--rate", type=int, default=50, help="events a second for the delay")
    parser.add_argument("--seconds", type=int, default=20, help="how long at that rate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder))
        try:
            stack.start_servers()
            create_app(stack.settings)
            runner.run(database.database())
            stack.start("hooks")
            Bench(stack, options.events, options.rounds).run()
            delays(stack, options.rate, options.seconds)
        finally:
            stack.stop()


class Bench:
    """The throughput of each sort of send, of ours and of plain RQ in turns, because the machine is never the same."""

    def __init__(self, stack: Stack, events: int, rounds: int) -> None:
        self.stack, self.events, self.rounds = stack, events, rounds

    def run(self) -> None:
        """Print a line for each: medians, and the ratio of the medians."""
        for what, make, receive in (
            ("mail", self._assignments, self._mails),
            ("webhook", self._new_tasks, self._hooks),
        ):
            rates: dict[str, list[float]] = {"ours": [], "rq.Worker": [], "rq.SimpleWorker": []}
            for _ in range(self.rounds):
                rates["ours"].append(self._ours(make, receive))
                for kind in ("rq.Worker", "rq.SimpleWorker"):
                    rates[kind].append(self._plain(what, kind, receive))
            middle = {name: statistics.median(found) for name, found in rates.items()}
            words = [f"{name} {rate:.0f}/s (ratio {middle['ours'] / rate:.2f})" for name, rate in middle.items()]
            spread = f"{min(rates['ours']):.0f} to {max(rates['ours']):.0f}"
            print(f"{what:8} {'; plain '.join(words)}; ours was {spread} in {self.rounds} rounds", flush=True)

    def _ours(self, make: Callable[[], None], receive: Callable[[], list[float]]) -> float:
        known = len(receive())
        make()
        rate = self._drained(lambda: self.stack.start("relay", *WORKERS), receive, known)
        self._stop("relay", *WORKERS)
        return rate

    def _assignments(self) -> None:
        for _ in _assigned(self.events):
            pass

    def _new_tasks(self) -> None:
        project = ProjectFactory()
        hook = {"url": self.stack.hook_url, "events": ["task.created"]}
        webhooks.create(project.id, hook, actor=owner_of(project.id))
        for _ in range(self.events):
            TaskFactory(project=project)

    def _plain(self, what: str, kind: str, receive: Callable[[], list[float]]) -> float:
        queue = Queue("plain", connection=queue_store(), serializer=JSONSerializer)
        url = self.stack.settings.mail_url if what == "mail" else self.stack.hook_url
        for number in range(self.events):
            queue.enqueue(f"tests.bench.plain.{what if what == 'mail' else 'hook'}", url, number, result_ttl=600)
        known, started = len(receive()), []

        def start() -> None:
            command = [sys.executable, "-m", "rq.cli", "worker", "plain", "--url", self.stack.settings.queue_url]
            command += ["--serializer", "rq.serializers.JSONSerializer", "--quiet", "-w", kind]
            for _ in WORKERS:
                started.append(subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL))

        try:
            return self._drained(start, receive, known)
        finally:
            for process in started:
                process.terminate()
                process.wait()

    def _drained(self, start: Callable[[], None], receive: Callable[[], list[float]], known: int) -> float:
        """Events a second between the first and the last that was accepted."""
        start()
        eventually(lambda: self._enough(receive, known + self.events), "the end of the backlog", 900)
        times = sorted(receive())[known:]
        return (len(times) - 1) / (times[-1] - times[0])

    def _enough(self, receive: Callable[[], list[float]], number: int) -> bool:
        """Whether so many have come; looked for seldom, because looking takes time from the workers."""
        time.sleep(0.5)
        return len(receive()) >= number

    def _mails(self) -> list[float]:
        return [accepted_at(path) for path in self.stack.mails.glob("[0-9]*.eml")]

    def _hooks(self) -> list[float]:
        return [at for times in self.stack.hooked_at().values() for at in times]

    def _stop(self, *names: str) -> None:
        eventually(lambda: outbox.count_pending() + deliveries.count_pending() == 0, "the end of the work")
        for name in names:
            self.stack.processes[name].stop()


def _assigned(number: int) -> Iterator[None]:
    """So many new tasks, each assigned to one of five members: one event and one mail each."""
    people = Assignments()
    for count in range(number):
        TaskFactory(project=people.project, assignees=(people.people[count % len(people.people)],))
        yield


def delays(stack: Stack, rate: int, seconds: int) -> None:
    """Print how long mails take from the commit of their event at a steady rate."""
    stack.start("relay", *WORKERS)
    time.sleep(3)  # until they are all there
    known = set(stack.mails.glob("[0-9]*.eml"))
    begin = time.monotonic()
    for number, _ in enumerate(_assigned(rate * seconds), 1):
        time.sleep(max(0.0, begin + number / rate - time.monotonic()))
    took = time.monotonic() - begin
    eventually(lambda: outbox.count_pending() + deliveries.count_pending() == 0, "the end of the work")
    events = dict(Event.objects(kind="task.created").scalar("id", "at"))
    sent = dict(Delivery.objects(channel="email").scalar("id", "event_id"))
    found = []
    for path in set(stack.mails.glob("[0-9]*.eml")) - known:
        name = str(message_from_bytes(path.read_bytes())["Message-ID"]).strip("<>").split(".")[0]
        event_id = next((event for delivery, event in sent.items() if str(delivery) == name), None)
        if event_id in events:
            found.append(accepted_at(path) - events[event_id].timestamp())
    cuts = statistics.quantiles(found, n=100)
    print(
        f"delay    {len(found)} mails at {len(found) / took:.0f} events/s: median {statistics.median(found):.2f} s, "
        f"p95 {cuts[94]:.2f} s, p99 {cuts[98]:.2f} s",
        flush=True,
    )


if __name__ == "__main__":
    main()
