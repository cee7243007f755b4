"""Many operations on tasks in one request, in one transaction or in one each.

An operation may refer to a task that an earlier one creates: a placeholder replaces its id until it is created.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Conflict, Invalid, NotFound, TaskManagerError, Unavailable
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import CREATED, Row
from taskmanager.core.storage.unit_of_work import long_unit_of_work
from taskmanager.features.tasks import listing, service as tasks
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.models import Task

MAX_TASKS = 100
MAX_SECONDS = 4.0  # of a transaction with MAX_TASKS; MongoDB aborts transactions that take longer than five seconds
FILTER = "body.filter"  # the location of errors in the filter of an operation, before `add_index` adds the index

MAX_EACH_SECONDS = 10.0  # after which a request in the mode `each` begins no further operation

Ids = dict[ObjectId, ObjectId]


class Unfinished(Unavailable):
    """The time of the request was over before this operation began."""

    code = "bulk.unfinished"
    detail = "The time of the request was over before this operation: repeat the request with the same Idempotency-Key."


@dataclass(frozen=True)
class Operation:
    """An operation: `kind` is create, update, complete, reopen or delete."""

    index: int
    kind: str
    project_id: ObjectId | None = None
    task_id: ObjectId | None = None
    placeholder: ObjectId | None = None  # the id of the task that it creates, for later operations
    data: dict[str, Any] | None = None
    if_match: IfMatch = None
    condition: GivenFilter | None = None  # instead of `task_id`: all tasks that match
    count: int | None = None  # the number of tasks that `condition` must match
    failure: TaskManagerError | None = None  # the error of finding its tasks

    def resolved(self, ids: Ids) -> "Operation":
        """Return the operation with placeholders replaced by the ids of the created tasks."""
        data = self.data and {
            name: ids.get(value, value) if isinstance(value, ObjectId) else value for name, value in self.data.items()
        }
        return replace(self, task_id=self.task_id and ids.get(self.task_id, self.task_id), data=data)

    def run(self, actor: Actor) -> Task | None:
        """Run the operation and return its task; None after `delete`. Raises as that use case, or `failure`."""
        if self.failure:
            raise self.failure
        return _RUN[self.kind](self, actor)


# Takes an operation and the function that finds the tasks of its filter; returns the ids of these tasks.
Find = Callable[[Operation, Callable[[], list[ObjectId]]], list[ObjectId]]

# The schema guarantees the fields of each kind of operation, so `Any` stands for an operation that has them.
_RUN: dict[str, Callable[[Any, Actor], Task | None]] = {
    "create": lambda it, actor: tasks.create(it.project_id, it.data or {}, actor=actor),
    "update": lambda it, actor: tasks.update(it.task_id, it.data or {}, if_match=it.if_match, actor=actor),
    "complete": lambda it, actor: tasks.complete(it.task_id, if_match=it.if_match, actor=actor),
    "reopen": lambda it, actor: tasks.reopen(it.task_id, if_match=it.if_match, actor=actor),
    "delete": lambda it, actor: tasks.delete(it.task_id, if_match=it.if_match, actor=actor),
}


@long_unit_of_work(MAX_SECONDS)
def run_all(operations: list[Operation], *, actor: Actor) -> list[tuple[Operation, Task | None]]:
    """Run all operations in one transaction.

    Raises the error of the first operation that fails, with its `index`; Conflict (`bulk.too_many`) beyond MAX_TASKS.
    """
    ids: Ids = {}
    done = []
    for operation in expand_filters(operations, actor):
        try:
            task = operation.resolved(ids).run(actor)
        except TaskManagerError as error:
            add_index(error, operation.index)
            raise
        if operation.placeholder and task:
            ids[operation.placeholder] = task.id
        done.append((operation, task))
    return done


def expand_filters(
    operations: list[Operation], actor: Actor, find: Find = lambda operation, query: query(), until: float = inf
) -> Iterator[Operation]:
    """Yield the operations, one for each task that a filter matches; a filter runs when its operation is next.

    `find` may return the ids of an earlier request. An operation whose tasks cannot be found, or that begins after
    `until` (of the monotonic clock), has a `failure`. Raises Conflict (`bulk.too_many`),
    Unavailable.
    """
    remaining = MAX_TASKS
    for operation in operations:
        parts = [operation] if operation.condition is None or monotonic() > until else _parts(operation, actor, find)
        remaining -= len(parts)
        if remaining < 0:
            detail = f"One request changes at most {MAX_TASKS} tasks."
            raise Conflict(detail, code="bulk.too_many", index=operation.index)
        yield from (part if monotonic() <= until else replace(part, failure=Unfinished()) for part in parts)


def _parts(operation: Operation, actor: Actor, find: Find) -> list[Operation]:
    try:
        ids = find(operation, lambda: [row["_id"] for row in _found(operation, actor)])
    except (Conflict, Invalid, NotFound) as error:
        return [replace(operation, condition=None, failure=error)]
    return [replace(operation, task_id=task_id, condition=None) for task_id in ids]


def _found(operation: Operation, actor: Actor) -> list[Row]:
    tasks = listing.matching(operation.condition, actor, operation.project_id)
    with expensive(actor):
        found = tasks.rows(MAX_TASKS + 1, ["_id"], CREATED.spec())
        if operation.count not in (None, len(found)):
            count = tasks.total()
            detail = f"Tasks that match the filter: {_number(count)}, expected: {operation.count}. Nothing was changed."
            raise Conflict(detail, code="bulk.unexpected_count", count=count, expect=operation.count)
    return found


def _number(count: int | Row) -> str:
    return f"{count:,}" if isinstance(count, int) else f"more than {count['value']:,}"


def count_each(operations: list[Operation], *, actor: Actor) -> list[int | Row]:
    """Return the number of tasks of each operation, without changes: a number, or {value, relation} beyond 10,000.

    All filters together may take MAX_SECONDS. Raises NotFound, Invalid, with `index`; Unavailable (`query.too_slow`).
    """
    with bounded(MAX_SECONDS):
        return [_count(operation, actor) for operation in operations]


def _count(operation: Operation, actor: Actor) -> int | Row:
    try:
        return 1 if operation.condition is None else _tasks(operation, actor).total()
    except (Invalid, NotFound) as error:
        add_index(error, operation.index)
        raise


def _tasks(operation: Operation, actor: Actor) -> listing.VisibleTasks:
    return listing.visible(actor, project_id=operation.project_id, condition=operation.condition)


def add_index(error: TaskManagerError, index: int) -> None:
    """Add the index of the operation to an error and to its locations."""
    error.extra["index"] = index
    for item in error.extra.get("errors", ()):
        inside = "" if item["location"] == FILTER else "task."
        item["location"] = item["location"].replace("body.", f"body.operations.{index}.{inside}", 1)
