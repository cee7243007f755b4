"""What MongoDB examined for requests: the keys and documents of each command, as its profiler counts them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from taskmanager.core.storage import database


class Examined(NamedTuple):
    """What one command on a collection examined; `sorted` in memory, and the index of its plan."""

    keys: int
    documents: int
    returned: int
    sorted: bool
    plan: str


@contextmanager
def examined(collection: str = "tasks") -> Iterator[list[Examined]]:
    """Collect what the commands inside examine; the list is filled when the block ends."""
    found: list[Examined] = []
    of = database.database()
    of.command("profile", 0)
    of.drop_collection("system.profile")
    of.create_collection("system.profile", capped=True, size=16_000_000)
    of.command("profile", 2)
    try:
        yield found
    finally:
        of.command("profile", 0)
        rows = of["system.profile"].find({"ns": f"{of.name}.{collection}", "op": {"$in": ["query", "command"]}})
        found += map(_examined, rows)
        of.drop_collection("system.profile")


def _examined(row: dict[str, Any]) -> Examined:
    counts = [row.get(name, 0) for name in ("keysExamined", "docsExamined", "nreturned")]
    return Examined(*counts, bool(row.get("hasSortStage")), row.get("planSummary", ""))
