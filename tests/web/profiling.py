"""What MongoDB examined for requests: the keys and documents of each command, as its profiler counts them."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from pymongo.database import Database
from pymongo.errors import CollectionInvalid, OperationFailure
from pymongo.uri_parser import parse_uri

from taskmanager.core.configuration import settings
from taskmanager.core.storage import database

_TRIES = 20


class Examined(NamedTuple):
    """What one command on a collection examined; `sorted` in memory, and the index of its plan."""

    keys: int
    documents: int
    returned: int
    sorted: bool
    plan: str


def begin_profile(of: Database[dict[str, Any]], size: int) -> None:
    """Let the profiler note every command in a new collection of so many bytes.

    A command that began while the profiler was on may make the collection again, just after it was dropped.
    """
    of.command("profile", 0)
    for _ in range(_TRIES):
        of.drop_collection("system.profile")
        with suppress(CollectionInvalid, OperationFailure):
            of.create_collection("system.profile", capped=True, size=size)
            break
    of.command("profile", 2)


@contextmanager
def examined(collection: str = "tasks") -> Iterator[list[Examined]]:
    """Collect what the commands inside examine; the list is filled when the block ends."""
    found: list[Examined] = []
    of = database.database()
    begin_profile(of, 16_000_000)
    try:
        yield found
    finally:
        of.command("profile", 0)
        rows = of["system.profile"].find(of_this_process(collection) | {"op": {"$in": ["query", "command"]}})
        found += map(_examined, rows)
        of.drop_collection("system.profile")


def of_this_process(collection: str) -> dict[str, Any]:
    """Return the query of what this process has asked of a collection, in what the profiler has noted.

    Other processes of the tests read the same database, and on a busy machine the service asks for the plan of a query.
    """
    of = f"{database.database().name}.{collection}"
    return {"ns": of, "appName": own_name(), "command.explain": {"$exists": False}}


def own_name() -> str | None:
    """Return the name by which this process connects to MongoDB; None without one."""
    name: str | None = parse_uri(settings.current().mongodb_uri)["options"].get("appname")
    return name


def _examined(row: dict[str, Any]) -> Examined:
    counts = [row.get(name, 0) for name in ("keysExamined", "docsExamined", "nreturned")]
    return Examined(*counts, bool(row.get("hasSortStage")), row.get("planSummary", ""))
