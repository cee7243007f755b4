"""How the data can be spread over shards: the key of each collection, and the commands that shard a deployment.

The key is always one field, hashed: ids begin with the time, so a range of them would be one hot shard. What belongs
together has the same value in this field, whatever the collection: the range of a hash is a zone with the same name in
all collections, so the tasks and the counts of a project are on one shard, and so are its events and their counter.
docs/sharding.md has the reasons; `tests/features/test_sharding.py` compares the keys with all queries of all routes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bson import Int64, MaxKey, MinKey


@dataclass(frozen=True)
class ShardKey:
    """The key of a collection: one field, and the most frequent queries, which name it."""

    field: str
    why: str


# Which collections grow with tasks, changes or requests, and by what they are sharded.
KEYS: Mapping[str, ShardKey] = {
    "tasks": ShardKey("project_id", "every list, search and write of tasks names the project or the caller's projects"),
    "task_counts": ShardKey("project_id", "written in the transaction of a task, read by project"),
    "memberships": ShardKey("project_id", "unique by project and account; lists of members are those of a project"),
    "comments": ShardKey("task_id", "read and written below their task"),
    "attachments": ShardKey("task_id", "read and written below their task"),
    "attachments.chunks": ShardKey("files_id", "a content is read and written as a whole"),
    "relations": ShardKey("from_id", "both directions are stored, each with its own task; unique by it"),
    "reminders": ShardKey("task_id", "read below their task, and set anew when its times change"),
    "events": ShardKey("stream", "numbered within the stream; unique by it"),
    "counters": ShardKey("_id", "the counter of a stream, on the shard of its events"),
    "notifications": ShardKey("user_id", "an inbox is that of one account; unique by it"),
    "deliveries": ShardKey("event_id", "made once for each event, channel and recipient; unique by it"),
    "webhook_bodies": ShardKey("_id", "one for an event"),
    "idempotency_keys": ShardKey("_id", "a digest of caller, path and key"),
    "sessions": ShardKey("user_id", "the rights of an account are loaded at once"),
}

# The zones: each is a part of all hashes, and belongs to one shard. Their number is the most shards that there can be.
ZONES = 64
_MIN_HASH, _MAX_HASH = -(2**63), 2**63 - 1


@dataclass(frozen=True)
class ShardCommand:
    """One step: the database of its command, the command, and how mongosh says it."""

    database: str
    command: Mapping[str, Any]
    shell: str


def plan(database: str, shards: Sequence[str]) -> Iterator[ShardCommand]:
    """Yield the steps that shard a database over these shards, in their order; with the same shards, each again.

    The index of each key comes first, so that collections with documents can be sharded; then the zones, before the
    balancer moves anything.
    """
    for name, key in KEYS.items():
        yield _index(database, name, key.field)
    for number, owner in enumerate(owners(len(shards))):
        yield _to_zone("addShardToZone", shards[owner], zone(number))
    for name, key in KEYS.items():
        yield from (_range(f"{database}.{name}", key.field, *bounds) for bounds in ranges())
        yield _shard(f"{database}.{name}", key.field)


def changed_plan(before: Sequence[str], shards: Sequence[str]) -> Iterator[ShardCommand]:
    """Yield the steps from the plan of `before` to that of `shards`: a zone that two shards have would be split."""
    for number, (old, new) in enumerate(zip(owners(len(before)), owners(len(shards)), strict=True)):
        if before[old] != shards[new]:
            yield _to_zone("addShardToZone", shards[new], zone(number))
            yield _to_zone("removeShardFromZone", before[old], zone(number))


def owners(shards: int) -> list[int]:
    """Return the shard of each zone, by its number: each further shard takes its part from those that have most."""
    found = [0] * ZONES
    for new in range(1, shards):
        for _ in range(ZONES // (new + 1)):
            sizes = Counter(one for one in found if one != new)
            fullest = max(sizes, key=lambda one: (sizes[one], one))
            found[found.index(fullest)] = new
    return found


def zone(number: int) -> str:
    """Return the name of a zone."""
    return f"part-{number:02}"


def ranges() -> Iterator[tuple[int | None, int | None, str]]:
    """Yield the ranges of hashes: (from, below, zone); None is the end of the key's values."""
    edges = [_MIN_HASH + number * 2**64 // ZONES for number in range(ZONES)]
    for number, (low, high) in enumerate(pairwise([*edges, _MAX_HASH])):
        yield (None if number == 0 else low), (None if number == ZONES - 1 else high), zone(number)


def _index(database: str, name: str, field: str) -> ShardCommand:
    spec = {"key": {field: "hashed"}, "name": f"{field}_hashed"}
    shell = f'db.getSiblingDB("{database}").getCollection("{name}").createIndex({{"{field}": "hashed"}})'
    return ShardCommand(database, {"createIndexes": name, "indexes": [spec]}, shell)


def _to_zone(name: str, shard: str, zone: str) -> ShardCommand:
    return ShardCommand("admin", {name: shard, "zone": zone}, f'sh.{name}("{shard}", "{zone}")')


def _range(namespace: str, field: str, low: int | None, high: int | None, name: str) -> ShardCommand:
    least, most = MinKey() if low is None else Int64(low), MaxKey() if high is None else Int64(high)
    command = {"updateZoneKeyRange": namespace, "min": {field: least}, "max": {field: most}, "zone": name}
    bounds = ", ".join(f'{{"{field}": {_literal(one, end)}}}' for one, end in ((low, "MinKey()"), (high, "MaxKey()")))
    return ShardCommand("admin", command, f'sh.updateZoneKeyRange("{namespace}", {bounds}, "{name}")')


def _literal(value: int | None, end: str) -> str:
    return end if value is None else f'NumberLong("{value}")'


def _shard(namespace: str, field: str) -> ShardCommand:
    command = {"shardCollection": namespace, "key": {field: "hashed"}, "unique": False}
    return ShardCommand("admin", command, f'sh.shardCollection("{namespace}", {{"{field}": "hashed"}})')
