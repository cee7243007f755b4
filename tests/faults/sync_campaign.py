"""`make sync-campaign N=10000`: offline clients and streams while processes and servers are killed.

Five clients of three accounts edit at random, two of them in spells without a connection, rights are given and taken,
and web, relay, stream, cache or MongoDB's primary are killed every few seconds. At the end each copy, those of the
clients and those that follow the stream, equals a fresh one; each new object was made once or reported; no change has
two effects; nothing that was deleted for ever is in a copy.

ARGS="--seed 7 --members 1 --kill web,relay --minutes 20" sets the random numbers, the members of the replica set, what
is killed, and after how many minutes the campaign ends with what it has found so far.
"""

import argparse
import random
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import requests

from migrations import runner
from taskmanager.app import prepare
from taskmanager.core.events.log import Event
from taskmanager.core.storage import database
from taskmanager.embedded.server import tail
from taskmanager.testing.fixtures import PATIENCE
from tests.faults.killer import PROCESSES, SERVERS, Killer
from tests.faults.replica_set import ReplicaSet
from tests.faults.stack import Stack, eventually, is_ready
from tests.features.sync.campaign import Campaign
from tests.features.sync.stream_reader import StreamReader, fresh_items

_LOOK_SECONDS = 0.5  # between two looks at what has ended by itself
_SAY_SECONDS = 60.0
_LIMITS = {"ratelimit_enabled": False, "direct_membership": True, "access_token_minutes": 24 * 60}


class Trial(threading.Thread):
    """The campaign and the comparisons at its end, in a thread: processes are started by the main thread alone."""

    def __init__(self, stack: Stack, killer: Killer, options: argparse.Namespace, folder: Path) -> None:
        super().__init__(name="campaign", daemon=True)
        self.stack, self.killer, self.options, self.folder = stack, killer, options, folder
        self.phase, self.wrong = "accounts", ["it did not come to its end"]
        self.campaign: Campaign | None = None
        self.conflicts: set[str] = set()  # mutation ids of the changes that were reported as refused
        self.readers: list[StreamReader] = []

    def run(self) -> None:
        """See the class; an error is reported as something wrong."""
        try:
            self.wrong = self._run()
        except Exception as error:
            traceback.print_exc()
            self.wrong = [f"{self.phase}: {error!r}"]

    def _run(self) -> list[str]:
        self.campaign = Campaign(self.stack.url, requests.Session, self.folder, seed=self.options.seed, clients=5)
        self.readers = [
            StreamReader(self.stack.url, stream_of(self.stack), self.folder / f"stream{number}", person.token)
            for number, person in enumerate(self.campaign.people)
        ]
        for reader in self.readers:
            reader.start()
        self.phase = "steps"
        self.campaign.run(self.options.steps)
        self.killer.calm()
        self.phase = "waiting for the processes"
        eventually(lambda: is_ready(self.stack), "the processes")
        self.phase = "copies of the clients"
        wrong = self.campaign.finish()
        self.phase = "copies of the streams"
        wrong += differences(self.stack, self.readers, self.folder)
        self.phase = "effects"
        self.conflicts = {one["mutation_id"] for client in self.campaign.clients for one in client.conflicts()}
        wrong += effects(self.campaign, self.conflicts)
        self.phase = "done"
        return wrong

    def line(self) -> str:
        """Return how far it has come, and what it has met."""
        kills = dict(self.killer.done)
        if self.campaign is None:
            return f"{self.phase}; kills {kills}"
        clients, found = self.campaign.clients, self.campaign
        return (
            f"{self.phase}: {found.step} steps, {found.syncs} syncs ({found.failed} failed), longest outage "
            f"{found.longest_outage:.1f} s, {sum(len(one.made) for one in clients)} changes; "
            f"streams {[(one.messages, one.connections) for one in self.readers]} messages and connections; "
            f"kills {kills}"
        )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Offline clients under kills")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--members", type=int, default=3, choices=(1, 3), help="of the replica set")
    parser.add_argument("--kill", default=",".join((*PROCESSES, *SERVERS)), help="what is killed")
    parser.add_argument("--minutes", type=float, default=60.0, help="the deadline")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name)
        mongodb = ReplicaSet(folder / "members", election_ms=2000) if options.members == 3 else None
        stack = Stack(folder, mongodb, **_LIMITS, log_level="WARNING")
        try:
            stack.start_servers()
            prepare(stack.settings.model_copy(update=PATIENCE))
            runner.run(database.database())
            stack.start(*PROCESSES)
            eventually(lambda: is_ready(stack), "the processes")
            wrong = run(stack, options, folder)
            if wrong:
                show_ends(stack)
        finally:
            stack.stop()
    print("\n".join(wrong) or "every copy equals a fresh one, no change was lost, none was made twice", flush=True)
    raise SystemExit(bool(wrong))


def run(stack: Stack, options: argparse.Namespace, folder: Path) -> list[str]:
    """Run the campaign until its end or the deadline; return what is wrong."""
    killer = Killer(stack, seed=options.seed, targets=tuple(options.kill.split(",")))
    trial, began = Trial(stack, killer, options, folder), time.monotonic()
    said = began
    trial.start()
    while trial.is_alive() and time.monotonic() < began + options.minutes * 60:
        killer.step()
        if time.monotonic() > said + _SAY_SECONDS:
            said = time.monotonic()
            print(f"after {said - began:.0f} s: {trial.line()}", flush=True)
        trial.join(_LOOK_SECONDS)
    wrong = [f"the deadline passed: {trial.phase}"] if trial.is_alive() else trial.wrong
    print(
        f"seed {options.seed}, {options.members} members, {time.monotonic() - began:.0f} s: {trial.line()}; "
        f"{len(trial.conflicts)} conflicts reported",
        flush=True,
    )
    return wrong


def show_ends(stack: Stack) -> None:
    """Print the ends of the logs, and what runs."""
    for process in stack.processes.values():
        print(f"{process.name} {'runs' if process.running else 'does not run'}. {tail(process.log, 20)}", flush=True)


def differences(stack: Stack, readers: list[StreamReader], folder: Path) -> list[str]:
    """Return where the copies that follow the stream differ from fresh ones; the readers end."""
    wrong: list[str] = []
    for number, reader in enumerate(readers):
        fresh = fresh_items(stack.url, folder / f"whole{number}", reader.token)
        try:
            eventually(lambda reader=reader, fresh=fresh: reader.items() == fresh, "the copy of the stream")
        except AssertionError:
            wrong += [f"stream {number} differs by {one}" for one in sorted(reader.items() ^ fresh)]
        reader.end()
    return wrong


def stream_of(stack: Stack) -> str:
    """Return the address of the stream."""
    return f"http://127.0.0.1:{stack.settings.stream_port}/api/v1/stream"


def effects(campaign: Campaign, conflicts: set[str]) -> list[str]:
    """Return what is wrong with the effects of the changes that clients made, by the event log."""
    named = Event.objects(__raw__={"correlation.mutation_id": {"$exists": True}})
    found = [(one.correlation["mutation_id"], one.kind, one.subject_id) for one in named]
    twice = [f"{one} happened {number} times" for one, number in Counter(found).items() if number > 1]
    applied = {mutation_id for mutation_id, _, _ in found}
    made = {key: method for client in campaign.clients for key, method in client.made.items()}
    lost = [f"{key} was lost" for key, method in made.items() if method == "POST" and key not in applied | conflicts]
    both = [f"{key} was made, and reported as refused" for key in conflicts & applied]
    return twice + lost + both


if __name__ == "__main__":
    main()
