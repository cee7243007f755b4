"""Simulates the shards of docs/sharding.md: how evenly skewed projects are spread, what is hot, what a new shard costs.

`make shard-sim` does it for 10,000,000 tasks. A project is as large as Zipf's law says, and the largest has one task of
a hundred. Each id is hashed as MongoDB hashes it (`tests/bench/test_shard_sim.py` compares that with a server), and
belongs to the zone of its hash.
"""

import argparse
import hashlib
import random
import struct
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import bson
from bson import ObjectId

from taskmanager.core.servers.sharding import ZONES, owners

LARGEST_SHARE = 0.01
SHARDS = (2, 4, 8, 16, 32, 64)
# Data of a task: "Bytes a task" of docs/operations.md. Indexes are not sent: the receiver builds them.
BYTES_A_TASK = 14_300
_MOVED_BYTES_A_SECOND = 20_000_000  # of a migration of chunks that leaves the shards room to work: an assumption
_PROJECTS_OF_A_USER = (1, 10, 100)
_PEOPLE = 2_000  # for whom the shards of a list are counted
_OBJECT_ID, _TEXT = 35, 15  # MongoDB's canonical types


def hash_of(value: ObjectId | str) -> int:
    """Return MongoDB's hash of the value of a hashed index: the beginning of an MD5 of seed, type and bytes."""
    kind = _OBJECT_ID if isinstance(value, ObjectId) else _TEXT
    raw = value.binary if isinstance(value, ObjectId) else bson.encode({"": value})[6:-1]
    digest = hashlib.md5(struct.pack("<ii", 0, kind) + raw, usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def part_of(value: ObjectId | str) -> int:
    """Return the number of the zone of a value."""
    return (hash_of(value) + 2**63) * ZONES >> 64


def sizes(tasks: int) -> list[int]:
    """Return the numbers of tasks of the projects, the largest first: Zipf's law with the exponent 0.8."""
    largest, found, rank, left = max(1, int(tasks * LARGEST_SHARE)), [], 1, tasks
    while left > 0:
        size = min(left, max(5, int(largest / rank**0.8)))
        found.append(size)
        rank, left = rank + 1, left - size
    return found


def object_ids(number: int, numbers: random.Random) -> Iterator[ObjectId]:
    """Yield ids as processes make them: times that rise, five bytes of one of ten processes, a counter."""
    processes = [numbers.randbytes(5) for _ in range(10)]
    for count in range(number):
        seconds = 1_700_000_000 + count * 30_000_000 // number
        yield ObjectId(struct.pack(">I", seconds) + numbers.choice(processes) + struct.pack(">I", count)[1:])


@dataclass
class Simulation:
    """The tasks of each zone by their project; what lies below tasks by its task."""

    tasks: int
    of_parts: list[int] = field(default_factory=lambda: [0] * ZONES)
    below_tasks: list[int] = field(default_factory=lambda: [0] * ZONES)
    projects: list[tuple[int, int]] = field(default_factory=list)  # (zone, tasks), the largest first

    def run(self) -> "Simulation":
        numbers = random.Random(18)
        found = sizes(self.tasks)
        ids = list(object_ids(len(found), numbers))
        numbers.shuffle(ids)  # the largest is not the oldest
        for size, one in zip(found, ids, strict=True):
            part = part_of(one)
            self.of_parts[part] += size
            self.projects.append((part, size))
        for one in object_ids(self.tasks, numbers):
            self.below_tasks[part_of(one)] += 1
        return self

    def asked(self, shards: int, projects: int) -> float:
        """How many shards a list over the projects of a user asks on average; large projects have more users."""
        numbers = random.Random(projects)
        parts, weights = zip(*self.projects, strict=True)
        cumulated = list(accumulate(weights))
        total, owner = 0, owners(shards)
        for _ in range(_PEOPLE):
            total += len({owner[part] for part in numbers.choices(parts, cum_weights=cumulated, k=projects)})
        return total / _PEOPLE


def shares(parts: Sequence[int], shards: int) -> list[float]:
    """Return what each shard has of everything, as a multiple of an even share."""
    found = [0] * shards
    for owner, part in zip(owners(shards), parts, strict=True):
        found[owner] += part
    return [one * shards / sum(found) for one in found]


def table(found: Simulation) -> Iterator[str]:
    """Yield the lines of the table of docs/sharding.md."""
    yield (
        "| shards | tasks: most, least | below tasks: most, least | the largest project, of its shard"
        " | shards asked with 1, 10, 100 projects |"
    )
    yield "|---|---|---|---|---|"
    for shards in SHARDS:
        tasks, below = shares(found.of_parts, shards), shares(found.below_tasks, shards)
        part, size = found.projects[0]
        of_its_shard = size * shards / (found.tasks * tasks[owners(shards)[part]])
        asked = ", ".join(f"{found.asked(shards, number):.1f}" for number in _PROJECTS_OF_A_USER)
        spread = f"{max(tasks):.2f}, {min(tasks):.2f} | {max(below):.3f}, {min(below):.3f}"
        yield f"| {shards} | {spread} | {of_its_shard:.0%} | {asked} |"


def moves(found: Simulation) -> Iterator[str]:
    """Yield what a further shard costs: the zones that the plan gives it."""
    yield "| from | to | zones | tasks | all their data | hours at 20 MB/s |"
    yield "|---|---|---|---|---|---|"
    for shards in SHARDS[:-1]:
        pairs = zip(owners(shards), owners(shards + 1), strict=True)
        moved = [part for part, (old, new) in zip(found.of_parts, pairs, strict=True) if old != new]
        number, tasks = len(moved), sum(moved)
        size = tasks * BYTES_A_TASK
        yield (
            f"| {shards} | {shards + 1} | {number} | {tasks:,} | {size / 1e9:.0f} GB"
            f" | {size / _MOVED_BYTES_A_SECOND / 3600:.1f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000_000)
    started, found = time.monotonic(), Simulation(parser.parse_args().tasks).run()
    print(f"{found.tasks:,} tasks of {len(found.projects):,} projects, the largest {found.projects[0][1]:,}")
    print("\n".join([*table(found), "", *moves(found), "", f"{time.monotonic() - started:.0f} s"]))


if __name__ == "__main__":
    main()
