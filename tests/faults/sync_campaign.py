"""`make sync-campaign N=10000`: offline clients and streams while processes and servers are killed.

Five clients of three accounts edit at random, two of them in spells without a connection, rights are given and taken,
and a thread kills web, relay, stream, cache or MongoDB every few seconds. At the end each copy, those of the clients
and those that follow the stream, equals a fresh one; each new object was made once or reported; no change has two
effects; nothing that was deleted for ever is in a copy.
"""

import argparse
import random
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import requests

from migrations import runner
from taskmanager.app import create_app
from taskmanager.core.events.log import Event
from taskmanager.core.storage import database
from tests.faults.stack import Stack, eventually, kill
from tests.features.sync.campaign import Campaign
from tests.features.sync.stream_reader import StreamReader, fresh_items

PROCESSES = ("web", "relay", "stream")
_PAUSES = (3.0, 15.0)  # seconds between two kills
_LOOK_SECONDS = 1.0  # between two looks at what has ended by itself


class Killer(threading.Thread):
    """Kills something at random every few seconds and starts it again at once, until `calm`.

    It is the supervisor, too: until `end` it starts again what has ended by itself, such as a web process that started
    while the database was away. Nothing else starts processes meanwhile.
    """

    def __init__(self, stack: Stack, *, seed: int) -> None:
        super().__init__(daemon=True)
        self.stack, self.random, self.done = stack, random.Random(seed), Counter[str]()
        self._calm, self._ended = threading.Event(), threading.Event()

    def run(self) -> None:
        strike_at = time.monotonic() + self.random.uniform(*_PAUSES)
        while not self._ended.wait(_LOOK_SECONDS):
            self.done["ended by itself"] += self.stack.revive()
            if not self._calm.is_set() and time.monotonic() >= strike_at:
                self._strike()
                strike_at = time.monotonic() + self.random.uniform(*_PAUSES)

    def _strike(self) -> None:
        what = self.random.choice([*PROCESSES * 2, "cache", "mongodb"])
        self.done[what] += 1
        if what in PROCESSES:
            self.stack.kill(what)
            self.stack.start(what)
            return
        server = self.stack.cache if what == "cache" else self.stack.mongodb
        kill(server)
        server.start()

    def calm(self) -> None:
        """Kill nothing more."""
        self._calm.set()

    def end(self) -> None:
        """Let the thread end."""
        self._ended.set()
        self.join()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Offline clients under kills")
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    limits = {"ratelimit_enabled": False, "direct_membership": True, "access_token_minutes": 24 * 60}
    with tempfile.TemporaryDirectory() as folder:
        stack = Stack(Path(folder), **limits, log_level="WARNING")
        try:
            stack.start_servers()
            create_app(stack.settings)
            runner.run(database.database())
            stack.start(*PROCESSES)
            eventually(lambda: is_ready(stack), "the processes")
            wrong = run(stack, options.steps, options.seed, Path(folder))
        finally:
            stack.stop()
    print("\n".join(wrong) or "every copy equals a fresh one, no change was lost, none was made twice", flush=True)
    raise SystemExit(bool(wrong))


def is_ready(stack: Stack) -> bool:
    """Return whether web and stream answer."""
    addresses = (f"{stack.url}/health/ready", f"http://127.0.0.1:{stack.settings.stream_port}/health/live")
    try:
        return all(requests.get(address, timeout=5).ok for address in addresses)
    except requests.RequestException:
        return False


def run(stack: Stack, steps: int, seed: int, folder: Path) -> list[str]:
    """Run the campaign; return what is wrong at its end."""
    campaign = Campaign(stack.url, requests.Session, folder, seed=seed, clients=5)
    readers = [
        StreamReader(stack.url, stream_of(stack), folder / f"stream{number}", person.token)
        for number, person in enumerate(campaign.people)
    ]
    killer, began = Killer(stack, seed=seed), time.monotonic()
    for thread in (*readers, killer):
        thread.start()
    try:
        campaign.run(steps)
        killer.calm()
        eventually(lambda: is_ready(stack), "the processes")
        wrong = campaign.finish() + differences(stack, readers, folder)
    finally:
        killer.end()
    conflicts = {one["mutation_id"] for client in campaign.clients for one in client.conflicts()}
    wrong += effects(campaign, conflicts)
    print(
        f"seed {seed}: {steps} steps in {time.monotonic() - began:.0f} s; kills: {dict(killer.done)}; {campaign.syncs} "
        f"syncs, of which {campaign.failed} failed; {sum(len(one.made) for one in campaign.clients)} changes, "
        f"{len(conflicts)} conflicts reported; streams: {[(one.messages, one.connections) for one in readers]} "
        "messages and connections",
        flush=True,
    )
    return wrong


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
