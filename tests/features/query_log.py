"""Reads commands of MongoDB as a router of shards does: which name the key of their collection, and which ask all."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from pymongo.monitoring import CommandStartedEvent

from taskmanager.core.servers.sharding import KEYS

Query = Mapping[str, Any]


class Scattered(NamedTuple):
    """A query that names no shard: its collection, the command, and the fields of its filter."""

    collection: str
    command: str
    fields: str

    def __str__(self) -> str:
        return f"{self.collection} {self.command} {self.fields}"


def scattered(event: CommandStartedEvent) -> Iterator[Scattered]:
    """What a command looks for without naming the key of the collection."""
    for collection, query in queries(event.command_name, event.command):
        key = KEYS.get(collection)
        if key and not names(query, key.field):
            yield Scattered(collection, event.command_name, " ".join(sorted(fields(query))))


def rekeyed(command: Query) -> list[Query]:
    """The updates of a batch that change the key of the collection; a router takes such a one only alone."""
    key = KEYS.get(command["update"])
    updates = command["updates"] if len(command["updates"]) > 1 else []
    sets = [(one, one["u"].get("$set", {})) for one in updates if isinstance(one["u"], Mapping)]
    return [one for one, changed in sets if key and key.field in changed]


def queries(name: str, command: Query) -> Iterator[tuple[str, Query]]:
    """The filters of a command, each with its collection."""
    collection = command.get(name)
    if name == "find":
        yield collection, command.get("filter", {})
    elif name in ("findAndModify", "count", "distinct"):
        yield collection, command.get("query", {})
    elif name in ("update", "delete"):
        yield from ((collection, one["q"]) for one in command[f"{name}s"])
    elif name == "aggregate" and isinstance(collection, str):
        yield from of_stages(collection, command["pipeline"])


def of_stages(collection: str, stages: list[Query]) -> Iterator[tuple[str, Query]]:
    """The filter at the beginning of an aggregation, and those of what it joins."""
    matches = []
    for stage in stages:
        if "$match" not in stage:
            break
        matches.append(stage["$match"])
    yield collection, {"$and": matches}
    for stage in stages:
        if "$unionWith" in stage:
            yield from of_stages(stage["$unionWith"]["coll"], stage["$unionWith"]["pipeline"])
        if "$lookup" in stage:
            joined = stage["$lookup"]
            if "foreignField" in joined:
                yield joined["from"], {joined["foreignField"]: 1}
            else:
                yield from of_stages(joined["from"], joined["pipeline"])


def names(query: Query, field: str) -> bool:
    """Whether a filter names the values of a field, so that a router asks only the shards that have them."""
    condition = query.get(field)
    if field in query and (not isinstance(condition, Mapping) or condition.keys() & {"$eq", "$in"}):
        return True
    if any(names(part, field) for part in query.get("$and", ())):
        return True
    return bool(query.get("$or")) and all(names(part, field) for part in query["$or"])


def fields(query: Query) -> set[str]:
    """The fields that a filter names."""
    found = set()
    for name, condition in query.items():
        if name in ("$and", "$or", "$nor"):
            found |= {inner for part in condition for inner in fields(part)}
        else:
            found.add(name)
    return found
