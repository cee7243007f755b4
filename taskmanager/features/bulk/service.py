"""Many operations on tasks in one request, in one transaction or in one each.

An operation may refer to a task that an earlier one creates: a placeholder replaces its id until it is created.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from time import monotonic
from typing import Any, cast

from bson import ObjectId

from taskmanager.core.errors import Conflict, Invalid, NotFound, TaskManagerError, Unavailable
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import bounded
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import CREATED, Row
from taskmanager.core.storage.unit_of_work import long_unit_of_work, run_again
from taskmanager.features.tasks import listing, service as tasks
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.subtasks import DependentTasks

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
        return _run([self], actor)[0]

    @property
    def edit(self) -> tasks.Edit:
        """Return the change of an operation on a task that exists."""
        return tasks.Edit(cast(ObjectId, self.task_id), self.data or {}, self.if_match)

    @property
    def new(self) -> tasks.NewTask:
        """Return the task of an operation that creates one."""
        return tasks.NewTask(cast(ObjectId, self.project_id), self.data or {}, cast(ObjectId, self.placeholder))


# Takes an operation and the function that finds the tasks of its filter; returns the ids of these tasks.
Find = Callable[[Operation, Callable[[], list[ObjectId]]], list[ObjectId]]

# The use case for operations of one kind on different tasks.
_RUN: dict[str, Callable[[Sequence[Operation], Actor], Sequence[Task] | None]] = {
    "create": lambda them, actor: tasks.create_all([one.new for one in them], actor=actor),
    "update": lambda them, actor: tasks.update_all([one.edit for one in them], actor=actor),
    "complete": lambda them, actor: tasks.complete_all([one.edit for one in them], actor=actor),
    "reopen": lambda them, actor: tasks.reopen_all([one.edit for one in them], actor=actor),
    "delete": lambda them, actor: tasks.delete_all([one.edit for one in them], actor=actor),
}


def _run(operations: Sequence[Operation], actor: Actor) -> Sequence[Task | None]:
    for failed in filter(None, (operation.failure for operation in operations)):
        raise failed
    return _RUN[operations[0].kind](operations, actor) or [None] * len(operations)


class AllOrNothing:
    """The operations of one request that are one transaction."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        self._operations, self._one_by_one = operations, False

    @long_unit_of_work(MAX_SECONDS)
    def run(self, actor: Actor) -> list[tuple[Operation, Task | None]]:
        """Run all operations in one transaction: successive ones of one kind on different tasks together.

        When that fails, the transaction is aborted and they run one by one: so the first one that fails is found, and
        those whose result depends on their order succeed.
        Raises the error of the first operation that fails, with its `index`; Conflict (`bulk.too_many`) beyond
        MAX_TASKS.
        """
        try:
            return [done for batch in self._batches(actor) for done in self._done(batch, actor)]
        except (TaskManagerError, DependentTasks):
            if self._one_by_one:
                raise
        self._one_by_one = True
        return run_again()

    def _batches(self, actor: Actor) -> Iterator[list[Operation]]:
        """Yield operations that run together. A filter runs after the operations before it."""
        expanded, batch = _expanded(self._operations, actor), list[Operation]()
        for operation in self._operations:
            if batch and not self._joins(operation, batch):
                yield batch
                batch = []
            batch += next(expanded)
            while self._one_by_one and batch:
                yield [batch.pop(0)]
        if batch:
            yield batch

    def _joins(self, operation: Operation, batch: list[Operation]) -> bool:
        if operation.condition is not None or operation.kind != batch[0].kind:
            return False
        return operation.kind == "create" or operation.task_id not in {one.task_id for one in batch}

    def _done(self, batch: list[Operation], actor: Actor) -> Iterator[tuple[Operation, Task | None]]:
        try:
            return zip(batch, _run(batch, actor), strict=True)
        except TaskManagerError as error:
            if self._one_by_one:
                add_index(error, batch[0].index)
            raise


def expand_filters(operations: list[Operation], actor: Actor, find: Find, until: float) -> Iterator[Operation]:
    """Yield the operations, one for each task that a filter matches; a filter runs when its operation is next.

    `find` may return the ids of an earlier request. An operation whose tasks cannot be found, or that begins after
    `until` (of the monotonic clock), has a `failure`. Raises Conflict (`bulk.too_many`),
    Unavailable.
    """
    for parts in _expanded(operations, actor, find, until):
        yield from (part if monotonic() <= until else replace(part, failure=Unfinished()) for part in parts)


def _expanded(
    operations: Sequence[Operation],
    actor: Actor,
    find: Find = lambda operation, query: query(),
    until: float = inf,
) -> Iterator[list[Operation]]:
    """Yield a list for each operation: itself, or one for each task that its filter matches."""
    remaining = MAX_TASKS
    for operation in operations:
        parts = [operation] if operation.condition is None or monotonic() > until else _parts(operation, actor, find)
        remaining -= len(parts)
        if remaining < 0:
            detail = f"One request changes at most {MAX_TASKS} tasks."
            raise Conflict(detail, code="bulk.too_many", index=operation.index)
        yield parts


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
