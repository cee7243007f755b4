"""What a task adds to the counts of its project."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.clock import milliseconds
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.slots import Slot, slot_of

NONE = "none"  # in the place of a label or an assignee
_HOUR_MS = 3_600_000
_DIGITS = 3

# Where a number is: in the document of all tasks (None), in that of a week (its number), or in the document of all
# tasks if its `overdue_before` is later than a moment.
Part = int | datetime | None
# {(project, part, path in the document): number}
Numbers = Counter[tuple[ObjectId, Part, str]]


class CountedTask(NamedTuple):
    """The stored fields of a task that the counts depend on."""

    project_id: ObjectId
    status: str
    status_group: str
    priority: int
    label_ids: list[ObjectId] | None
    assignee_ids: list[ObjectId] | None
    due_at: datetime | None
    estimate_minutes: int | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None

    def numbers(self) -> Iterator[tuple[Part, str, int]]:
        """Yield what the task adds: part, path and number."""
        yield None, f"status.{self.status}.{self.status_group}", 1
        yield None, f"priority.{self.priority}", 1
        if self.closed_at:
            yield None, "all_closed", 1
        for label in self.label_ids or (NONE,):
            yield None, f"label.{label}", 1
        yield from self._of_people()
        yield from self._in_time()

    def _of_people(self) -> Iterator[tuple[Part, str, int]]:
        people = [f"person.{person}" for person in self.assignee_ids or (NONE,)]
        for person in people:
            yield None, f"{person}.tasks", 1
        if self.status_group not in OPEN_GROUPS:
            return
        for person in people:
            yield None, f"{person}.open", 1
            yield None, f"{person}.estimate", self.estimate_minutes or 0
        if self.due_at:
            for path in ("overdue", *(f"{person}.overdue" for person in people)):
                yield self.due_at, path, 1

    def _in_time(self) -> Iterator[tuple[Part, str, int]]:
        created = slot_of(self.created_at)
        yield created.week, f"created.week.{created.of_week}", 1
        yield from _of_day("created", created)
        if self.closed_at:
            yield from _of_day("closed", slot_of(self.closed_at))
        if self.completed_at:
            slot, cycle = slot_of(self.completed_at), cycle_ms(self.started_at or self.created_at, self.completed_at)
            completed = f"completed.{slot.of_week}"
            yield slot.week, f"{completed}.tasks", 1
            yield slot.week, f"{completed}.ms", cycle
            yield slot.week, f"{completed}.hours.{hundredths(cycle)}", 1


def _of_day(name: str, slot: Slot) -> Iterator[tuple[Part, str, int]]:
    yield slot.week, f"{name}.hours.{slot.quarter // 4}", 1
    yield slot.week, f"{name}.quarters.{slot.quarter}", 1


FIELDS = CountedTask._fields
STORED = (*FIELDS, "deleted_at")


def counted(read: Callable[[str], Any]) -> CountedTask | None:
    """Return the counted fields of a task, from a function that returns its fields; None for one in the trash."""
    return None if read("deleted_at") else CountedTask(*map(read, FIELDS))


def add(numbers: Numbers, task: CountedTask | None, sign: int = 1) -> None:
    """Add to `numbers` what a task adds to the counts, or subtract it with a `sign` of -1."""
    if task is not None:
        for part, path, number in task.numbers():
            numbers[task.project_id, part, path] += sign * number


def cycle_ms(begun: datetime, completed: datetime) -> int:
    """Return the milliseconds between two moments as they are stored."""
    return round((milliseconds(completed) - milliseconds(begun)).total_seconds() * 1000)


def hundredths(ms: int) -> int:
    """Return a time in hundredths of an hour with three significant digits, so that few different ones are counted.

    A time of less than ten hours is exact to the hundredth.
    """
    number = round(ms * 100 / _HOUR_MS)
    return round(number, min(0, _DIGITS - len(str(abs(number)))))
