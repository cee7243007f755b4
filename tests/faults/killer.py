"""Kills processes and servers of a stack at random, and starts again what was killed or has ended by itself.

Its `step` runs in the main thread: on Linux the processes of a stack end with the thread that has started them.
"""

import random
import time
from collections import Counter

from tests.faults.replica_set import ReplicaSet
from tests.faults.stack import Stack, kill

PROCESSES = ("web", "relay", "stream")
SERVERS = ("cache", "mongodb")
_PAUSES = (3.0, 15.0)  # seconds between two kills


class Killer:
    """Every few seconds one of `targets`, processes twice as often as servers, until `calm`."""

    def __init__(self, stack: Stack, *, seed: int, targets: tuple[str, ...] = (*PROCESSES, *SERVERS)) -> None:
        self.stack, self.random, self.done = stack, random.Random(seed), Counter[str]()
        self.targets = [name for name in targets for _ in range(2 if name in stack.processes else 1)]
        self.is_calm = False
        self._strike_at = self._next()

    def _next(self) -> float:
        return time.monotonic() + self.random.uniform(*_PAUSES)

    def step(self) -> None:
        """Start what has ended by itself, such as a web process that began without a database; kill if it is time."""
        self.done["ended by itself"] += self.stack.revive()
        if not self.is_calm and time.monotonic() >= self._strike_at:
            self.strike()
            self._strike_at = self._next()

    def strike(self) -> None:
        """Kill something, and start it again at once."""
        what = self.random.choice(self.targets)
        self.done[what] += 1
        if what in self.stack.processes:
            self.stack.kill(what)
            self.stack.start(what)
            return
        server = self.stack.cache if what == "cache" else self.stack.mongodb
        if isinstance(server, ReplicaSet):
            primary = server.primary
            if primary is None:
                self.done["no primary to kill"] += 1
                return
            server = primary
        kill(server)
        server.start()

    def calm(self) -> None:
        """Kill nothing more."""
        self.is_calm = True
