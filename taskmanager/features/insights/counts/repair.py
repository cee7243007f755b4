"""Verify and repair counts, and count the tasks that became overdue.

A repair adds what is missing to the stored numbers instead of replacing them: tasks and counts are read at one moment
(a snapshot), and what is written meanwhile changes both. So writers need not wait.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId
from pymongo import UpdateOne
from pymongo.collection import Collection

from taskmanager.core.clock import now
from taskmanager.core.storage.chunked_updates import update_each
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.insights.counts.reading import became_overdue, projects_with_overdue
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import STORED, Numbers, add, counted
from taskmanager.features.tasks.counts.writing import updates
from taskmanager.features.tasks.models import Task

_COUNTED = ("status", "priority", "label", "person", "all_closed", "overdue", "created", "closed", "completed")
_ATTEMPTS = 5  # of a repair that meets another one
_BATCH = 1_000
OVERDUE_MINUTES = 10  # after which the tasks that became overdue are counted
_MARGIN = timedelta(minutes=1)  # so that a clock that is ahead counts no task too early


@dataclass(frozen=True)
class Differences:
    """What the counts of a project lack: {(project, week or None, path): number}; more than there is, if negative."""

    project_id: ObjectId
    numbers: Numbers
    repairs: int | None  # of the project, when they were found


@dataclass(frozen=True)
class Recount:
    """Counts of projects, and the tasks that they count. A migration has collections of its own database."""

    tasks: Collection[Row]
    counts: Collection[Row]

    @classmethod
    def of_service(cls) -> "Recount":
        """Return that of the collections of the service."""
        return cls(Task._get_collection(), TaskCounts._get_collection())

    def project_ids(self, last: ObjectId | None = None) -> Iterator[ObjectId]:
        """Yield the ids of all projects after `last` that have tasks or counts, in order, by one seek each."""
        while True:
            beyond = {"project_id": {"$gt": last}} if last else {}
            firsts = [self._first(collection, beyond) for collection in (self.tasks, self.counts)]
            if not any(firsts):
                return
            last = min(filter(None, firsts))
            yield last

    def repair_all(self) -> None:
        """Repair the counts of each project; see `repair`."""
        for project_id in self.project_ids():
            self.repair(project_id)

    def _first(self, collection: Collection[Row], query: Row) -> ObjectId | None:
        row = collection.find_one(query, {"project_id": 1, "_id": 0}, sort=[("project_id", 1)])
        return row["project_id"] if row else None

    def differences(self, project_id: ObjectId) -> Differences:
        """Return what the counts of a project lack at one moment, by reading all its tasks."""
        query = {"project_id": project_id}
        with self.counts.database.client.start_session(snapshot=True) as session:
            stored = list(self.counts.find(query, session=session))
            numbers = Numbers()
            for row in self.tasks.find(query | {"deleted_at": None}, STORED, batch_size=_BATCH, session=session):
                add(numbers, counted(row.get))
        overall = next((row for row in stored if row["week"] is None), {})
        lacking = _until(numbers, overall.get("overdue_before") or now())
        for row in stored:
            for path, number in _paths({name: row[name] for name in _COUNTED if name in row}):
                lacking[project_id, row["week"], path] -= number
        lacking = Numbers({key: number for key, number in lacking.items() if number})
        return Differences(project_id, lacking, overall.get("repairs"))

    def repair(self, project_id: ObjectId) -> Differences:
        """Correct the counts of a project, while others may write, and return what they lacked."""
        head = {"project_id": project_id, "week": None}
        begun = {"overdue_before": now(), "writes": 0}
        missing = {name: {"$ifNull": [f"${name}", value]} for name, value in begun.items()}
        self.counts.update_one(head, [{"$set": missing}], upsert=True)
        for _ in range(_ATTEMPTS):
            found = self.differences(project_id)
            if not found.numbers or self.correct(found):
                break
        self._delete_of_purged(project_id)
        return found

    def _delete_of_purged(self, project_id: ObjectId) -> None:
        """Delete the counts of a project that was purged meanwhile: its purge may have deleted them before."""
        kept = {"_id": project_id, "purged_at": {"$exists": False}}
        known = self.tasks.database["projects"].find_one(kept, ["_id"]) or self.tasks.find_one(
            {"project_id": project_id}, ["_id"]
        )
        if not known:
            self.counts.delete_many({"project_id": project_id})

    @unit_of_work
    def correct(self, found: Differences) -> bool:
        """Add what was found; return False when another repair has done so since."""
        head = {"project_id": found.project_id, "week": None, "repairs": found.repairs}
        if not self.counts.update_one(head, {"$inc": {"repairs": 1}}).matched_count:
            return False
        update_each(self.counts, updates(found.numbers))
        return True


def _until(numbers: Numbers, overdue_before: datetime) -> Numbers:
    """Return the numbers as they are stored: those of overdue tasks only when these were due before a moment."""
    found = Numbers()
    for (project_id, part, path), number in numbers.items():
        if not isinstance(part, datetime):
            found[project_id, part, path] += number
        elif part < overdue_before:
            found[project_id, None, path] += number
    return found


def _paths(document: Row, prefix: str = "") -> Iterator[tuple[str, int]]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _paths(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def pass_idle(rows: Sequence[Row]) -> list[ObjectId]:
    """Note of the projects where no task became overdue that they are counted; return the ids of the others.

    `rows` are their documents of all tasks. It takes two commands, however many projects there are. A document that
    was written meanwhile has another number of `writes`, and is left for the next time.
    """
    counts, end = TaskCounts._get_collection(), now() - _MARGIN
    active = projects_with_overdue({row["project_id"]: row["overdue_before"] for row in rows}, end)
    idle = [row for row in rows if row["project_id"] not in active and _is_clean(row)]
    operations = [
        UpdateOne({"_id": row["_id"], "writes": row.get("writes")}, {"$set": {"overdue_before": end}}) for row in idle
    ]
    if operations:
        counts.bulk_write(operations, ordered=False)
    done = {row["project_id"] for row in idle}
    return [row["project_id"] for row in rows if row["project_id"] not in done]


@unit_of_work
def count_overdue(project_id: ObjectId) -> None:
    """Count the tasks of a project that became overdue, so that readers need not. Safe to repeat.

    A concurrent write of a task changes the same document, so one of the two transactions is run again.
    """
    counts, end = TaskCounts._get_collection(), now() - _MARGIN
    overall = counts.find_one({"project_id": project_id, "week": None, "overdue_before": {"$lt": end}})
    if overall is None:
        return
    overdue: Numbers = Numbers()
    for people, tasks in became_overdue({project_id: overall["overdue_before"]}, end).items():
        for path in ("overdue", *(f"person.{person}.overdue" for person in people)):
            overdue[project_id, None, path] += tasks
    increments = {path: number for (_, _, path), number in overdue.items()}
    changes: dict[str, Any] = {"$set": {"overdue_before": end}} | ({"$inc": increments} if increments else {})
    counts.update_one({"_id": overall["_id"]}, changes)
    if _zeros(overall):
        counts.update_one({"_id": overall["_id"]}, [{"$set": _WITHOUT_ZEROS}])


def _is_clean(overall: Row) -> bool:
    """Return whether there is nothing to clean up; False for a damaged document, whose own transaction says so."""
    with suppress(AttributeError, TypeError):
        return not _zeros(overall)
    return False


def _zeros(overall: Row) -> bool:
    return 0 in overall.get("label", {}).values() or any(
        one.get("tasks") == 0 for one in overall.get("person", {}).values()
    )


def _filtered(field: str, value: str) -> Row:
    pairs = {"$objectToArray": {"$ifNull": [f"${field}", {}]}}
    return {"$arrayToObject": {"$filter": {"input": pairs, "cond": {"$ne": [value, 0]}}}}


# Labels and people that tasks do not have any more.
_WITHOUT_ZEROS = {"label": _filtered("label", "$$this.v"), "person": _filtered("person", "$$this.v.tasks")}
