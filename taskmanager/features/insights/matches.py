"""Aggregations over the tasks that match a filter: exact up to MAX_COUNTED tasks, and over so many beyond that."""

from collections.abc import Mapping
from typing import Any

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks.counts.numbers import STORED
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.querysets import TaskQuerySet

MAX_COUNTED = 10_000
_READ = "read"


def counted_parts(tasks: TaskQuerySet, parts: Mapping[str, list[Row]], actor: Actor) -> Row:
    """Return the results of several aggregations of at most MAX_COUNTED tasks: {name: rows}.

    Raises TooMany, Unavailable (`query.too_slow`).
    """
    first = {"$limit": MAX_COUNTED}
    pipelines: dict[str, Any] = {name: [first, *stages] for name, stages in parts.items()}
    pipelines[_READ] = [{"$count": "count"}]
    fields = {"$project": dict.fromkeys(STORED, 1)}
    with expensive(actor):
        return tasks.piped({"$limit": MAX_COUNTED + 1}, fields, {"$facet": pipelines})[0]


def relation(found: Row) -> str:
    """Return `gte` when more tasks matched than were counted, else `eq`."""
    return "gte" if found[_READ] and found[_READ][0]["count"] > MAX_COUNTED else "eq"
