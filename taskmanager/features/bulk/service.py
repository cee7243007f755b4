"""Many operations on tasks in one request: all or nothing, or each for itself.

An operation may name a task that an earlier one makes: until it is made, a placeholder stands for its id.
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
MAX_SECONDS = 4.0  # of a transaction over so many; MongoDB ends those that take longer than five
FILTER = "body.filter"  # where an operation's filter stands, as its errors say before they are located

MAX_EACH_SECONDS = 10.0  # after which a request with a transaction for each operation begins no more of them

Ids = dict[ObjectId, ObjectId]


class Unfinished(Unavailable):
    """The time of a request was over before this operation had its turn."""

    code = "bulk.unfinished"
    detail = "There was no time left for this operation: repeat the request with the same Idempotency-Key."


@dataclass(frozen=True)
class Operation:
    """What to do: `kind` is create, update, complete, reopen or delete."""

    index: int
    kind: str
    project_id: ObjectId | None = None
    task_id: ObjectId | None = None
    placeholder: ObjectId | None = None  # of the task that it makes
    data: dict[str, Any] | None = None
    if_match: IfMatch = None
    condition: GivenFilter | None = None  # instead of `task_id`: all tasks for which this holds
    count: int | None = None  # how many tasks `condition` must find
    failure: TaskManagerError | None = None  # why its tasks cannot be found

    def resolved(self, ids: Ids) -> "Operation":
        """Return with the ids of the tasks that were made meanwhile in the place of placeholders."""
        data = self.data and {
            name: ids.get(value, value) if isinstance(value, ObjectId) else value for name, value in self.data.items()
        }
        return replace(self, task_id=self.task_id and ids.get(self.task_id, self.task_id), data=data)

    def run(self, actor: Actor) -> Task | None:
        """Do it; None for a task that was deleted. Raises what the single use case raises, or its `failure`."""
        if self.failure:
            raise self.failure
        return _RUN[self.kind](self, actor)


# From an operation, and what asks its filter, to the ids of the tasks that it is about.
Keep = Callable[[Operation, Callable[[], list[ObjectId]]], list[ObjectId]]

# The schema gives each kind of operation the parts that it has.
_RUN: dict[str, Callable[[Any, Actor], Task | None]] = {
    "create": lambda it, actor: tasks.create(it.project_id, it.data or {}, actor=actor),
    "update": lambda it, actor: tasks.update(it.task_id, it.data or {}, if_match=it.if_match, actor=actor),
    "complete": lambda it, actor: tasks.complete(it.task_id, if_match=it.if_match, actor=actor),
    "reopen": lambda it, actor: tasks.reopen(it.task_id, if_match=it.if_match, actor=actor),
    "delete": lambda it, actor: tasks.delete(it.task_id, if_match=it.if_match, actor=actor),
}


@long_unit_of_work(MAX_SECONDS)
def run_all(operations: list[Operation], *, actor: Actor) -> list[tuple[Operation, Task | None]]:
    """Do all of them, or nothing.

    Raises what the first one that fails raises, with its `index`; Conflict (`bulk.too_many`) beyond 100 tasks.
    """
    ids: Ids = {}
    done = []
    for operation in spread(operations, actor):
        try:
            task = operation.resolved(ids).run(actor)
        except TaskManagerError as error:
            located(error, operation.index)
            raise
        if operation.placeholder and task:
            ids[operation.placeholder] = task.id
        done.append((operation, task))
    return done


def spread(
    operations: list[Operation], actor: Actor, keep: Keep = lambda operation, find: find(), until: float = inf
) -> Iterator[Operation]:
    """Yield the operations with one for each task that a filter finds, as late as possible.

    `keep` may answer with what an operation's filter has found before. An operation whose tasks cannot be found, or
    whose turn comes after `until` (of the monotonic clock), has the `failure`. Raises Conflict (`bulk.too_many`),
    Unavailable.
    """
    left = MAX_TASKS
    for operation in operations:
        parts = [operation] if operation.condition is None or monotonic() > until else _parts(operation, actor, keep)
        left -= len(parts)
        if left < 0:
            detail = f"One request changes at most {MAX_TASKS} tasks."
            raise Conflict(detail, code="bulk.too_many", index=operation.index)
        yield from (part if monotonic() <= until else replace(part, failure=Unfinished()) for part in parts)


def _parts(operation: Operation, actor: Actor, keep: Keep) -> list[Operation]:
    try:
        ids = keep(operation, lambda: [row["_id"] for row in _found(operation, actor)])
    except (Conflict, Invalid, NotFound) as error:
        return [replace(operation, condition=None, failure=error)]
    return [replace(operation, task_id=task_id, condition=None) for task_id in ids]


def _found(operation: Operation, actor: Actor) -> list[Row]:
    tasks = listing.matching(operation.condition, actor, operation.project_id)
    with expensive(actor):
        found = tasks.rows(MAX_TASKS + 1, ["_id"], CREATED.spec())
        if operation.count not in (None, len(found)):
            count = tasks.total()
            detail = f"Tasks that the filter finds: {_number(count)}, expected: {operation.count}. Nothing was changed."
            raise Conflict(detail, code="bulk.unexpected_count", count=count, check_revision=operation.count)
    return found


def _number(count: Any) -> str:
    return f"{count:,}" if isinstance(count, int) else f"more than {count['value']:,}"


def counted(operations: list[Operation], *, actor: Actor) -> list[Any]:
    """Return how many tasks each operation is about, without changing any: a number, or {value, relation} beyond
    10,000.

    All filters together have MAX_SECONDS. Raises NotFound, Invalid, each with `index`; Unavailable (`query.too_slow`).
    """
    with bounded(MAX_SECONDS):
        return [_count(operation, actor) for operation in operations]


def _count(operation: Operation, actor: Actor) -> Any:
    try:
        return 1 if operation.condition is None else _tasks(operation, actor).total()
    except (Invalid, NotFound) as error:
        located(error, operation.index)
        raise


def _tasks(operation: Operation, actor: Actor) -> listing.VisibleTasks:
    return listing.visible(actor, project_id=operation.project_id, condition=operation.condition)


def located(error: TaskManagerError, index: int) -> None:
    """Let an error say which operation it is of."""
    error.extra["index"] = index
    for item in error.extra.get("errors", ()):
        inside = "" if item["location"] == FILTER else "task."
        item["location"] = item["location"].replace("body.", f"body.operations.{index}.{inside}", 1)
