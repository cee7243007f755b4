"""Read the counts of projects: exact, in one query for all of them, however many tasks there are.

The query for statistics also counts the tasks that were due since the periodic job last counted the overdue ones. Until
a repair, numbers may be missing, or below zero, in projects that a release without counts has written: none is returned
then.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

from bson import ObjectId
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo import collection as driver

from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.replicas.reading import readable
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import NONE
from taskmanager.features.tasks.counts.slots import slot_of
from taskmanager.features.tasks.models import Task

_OF_FACETS = ("project_id", "status", "priority", "label", "person")
_OF_STATISTICS = ("project_id", "status", "person", "all_closed", "overdue", "week", "completed")
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_OF_PERSON = dict.fromkeys(("tasks", "open", "overdue", "estimate"), 0)
_ALIKE: Row = {"_id": {"$ifNull": ["$assignee_ids", []]}, "tasks": {"$sum": 1}}


def overall(ids: Collection[ObjectId]) -> bytes:
    """Return the documents of all tasks of these projects, in BSON: each has what facets need."""
    shown = {"_id": 0, **dict.fromkeys(_OF_FACETS, 1)}
    with readable(TaskCounts._get_collection()) as counts:
        return _encoded(_raw(counts).find({"project_id": {"$in": list(ids)}, "week": None}, shown))


def with_weeks(ids: Collection[ObjectId], monday: datetime, first_day: datetime, unit: str, moment: datetime) -> bytes:
    """Return what statistics need of these projects, in BSON.

    That is the documents of all tasks, and those of weeks from `monday` or `first_day` on, with slots of days since
    `first_day`; and those without a `week` for `became_overdue_by_person`: the tasks that became overdue since those
    were counted, and before `moment`. The same numbers are the same bytes: MongoDB groups in any order.
    """
    of_days = slot_of(first_day).week
    daily: dict[str, Row] = {name: {unit: _from(of_days, f"${name}.{unit}")} for name in ("created", "closed")}
    daily["created"]["week"] = "$created.week"
    stages: list[Row] = [
        {"$match": {"project_id": {"$in": list(ids)}, "week": {"$not": {"$lt": min(slot_of(monday).week, of_days)}}}},
        {"$project": {"_id": 0, **dict.fromkeys(_OF_STATISTICS, 1), **daily}},
        {"$unionWith": {"coll": TaskCounts._get_collection_name(), "pipeline": _overdue_since(list(ids), moment)}},
    ]
    with readable(TaskCounts._get_collection()) as counts:
        return _encoded(sorted(_raw(counts).aggregate(stages), key=lambda row: bytes(row.raw)))


def _raw(collection: driver.Collection[Any]) -> driver.Collection[RawBSONDocument]:
    """Return the collection whose documents are left in BSON; the driver's raw batches need a second command."""
    return collection.with_options(codec_options=_RAW)


def _encoded(documents: Iterable[RawBSONDocument]) -> bytes:
    return b"".join([document.raw for document in documents])


def _overdue_since(ids: list[ObjectId], moment: datetime) -> list[Row]:
    """Return the stages that count, by people, what became overdue since the moments in the counts of projects."""
    since = {"$ifNull": ["$overdue_before", moment]}
    known = {"begin": {"$min": since}, "projects": {"$push": "$project_id"}, "moments": {"$push": since}}
    counted = {"$and": [{"$gte": ["$due_at", "$$begin"]}, {"$in": ["$project_id", "$$projects"]}]}
    due = [{"$match": {**_open_of(ids), "due_at": {"$lt": moment}, "$expr": counted}}]
    due += [*_after_own("$$projects", "$$moments"), {"$group": _ALIKE}]
    variables = {name: f"${name}" for name in known}
    return [
        {"$match": {"project_id": {"$in": ids}, "week": None}},
        {"$group": {"_id": None, **known}},
        {"$lookup": {"from": Task._get_collection_name(), "let": variables, "pipeline": due, "as": "due"}},
        {"$unwind": "$due"},
        {"$replaceWith": "$due"},
    ]


def _from(week: int, value: str) -> Row:
    return {"$cond": [{"$gte": ["$week", week]}, value, "$$REMOVE"]}


def merged(rows: Iterable[Row], field: str) -> dict[str, int]:
    """Return the sums of a field that is {name: number}, without those that are zero."""
    sums: dict[str, int] = {}
    for row in rows:
        _add(sums, row.get(field, {}))
    return _positive(sums)


def people(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Return the numbers of each person: {id or NONE: {tasks, open, overdue, estimate}}."""
    sums: dict[str, dict[str, int]] = {}
    for row in rows:
        for person, numbers in row.get("person", {}).items():
            _add(sums.setdefault(person, {}), numbers)
    return {person: _OF_PERSON | _positive(numbers) for person, numbers in sums.items()}


def statuses(rows: Iterable[Row]) -> dict[tuple[str, str], int]:
    """Return the number of tasks of each status: {(status, group): tasks}, without those that are zero."""
    sums: dict[tuple[str, str], int] = {}
    for row in rows:
        for status, groups in row.get("status", {}).items():
            _add(sums, {(status, group): number for group, number in groups.items()})
    return _positive(sums)


def _add(sums: dict[Any, int], numbers: Mapping[Any, int]) -> None:
    for name, number in numbers.items():
        sums[name] = sums.get(name, 0) + number


def _positive(sums: dict[Any, int]) -> dict[Any, int]:
    return {name: number for name, number in sums.items() if number > 0}


def total(rows: Iterable[Row], field: str) -> int:
    """Return the sum of a field that is a number, at least 0."""
    return max(0, sum(row.get(field, 0) for row in rows))


def became_overdue_by_person(rows: Iterable[Row]) -> Counter[str]:
    """Return the tasks that became overdue since those were counted: {person or NONE: tasks}, "" for all of them."""
    found: Counter[str] = Counter()
    for people, tasks in _tasks_by_people(rows).items():
        _add(found, dict.fromkeys(("", *people), tasks))
    return found


def became_overdue(since: Mapping[ObjectId, datetime], end: datetime) -> dict[tuple[str, ...], int]:
    """Return the open tasks that were due from the moment of their project until `end`: {people or NONE: tasks}.

    MongoDB counts them, because thousands of tasks may be due at the same minute.
    """
    return _tasks_by_people(_due_since(since, end, _ALIKE))


def _tasks_by_people(rows: Iterable[Row]) -> dict[tuple[str, ...], int]:
    return {tuple(map(str, row["_id"])) or (NONE,): row["tasks"] for row in rows}


def projects_with_overdue(since: Mapping[ObjectId, datetime], end: datetime) -> set[ObjectId]:
    """Return the projects with open tasks that were due from the moment of their project until `end`."""
    return {row["_id"] for row in _due_since(since, end, {"_id": "$project_id"})}


def _due_since(since: Mapping[ObjectId, datetime], end: datetime, grouped: Row) -> Iterable[Row]:
    begin = min(since.values(), default=end)
    if begin >= end:
        return []
    query = _open_of(list(since)) | {"due_at": {"$gte": begin, "$lt": end}}
    stages = [{"$match": query}, *_after_own(list(since), list(since.values())), {"$group": grouped}]
    with readable(Task._get_collection()) as tasks:
        return list(tasks.aggregate(stages))


def _open_of(ids: list[ObjectId]) -> Row:
    return {"project_id": {"$in": ids}, "deleted_at": None, "status_group": {"$in": list(OPEN_GROUPS)}}


def _after_own(projects: Any, moments: Any) -> list[Row]:
    """Return the stages that keep the tasks that were due since the moment of their project."""
    own = {"$arrayElemAt": [moments, {"$indexOfArray": [projects, "$project_id"]}]}
    return [{"$match": {"$expr": {"$gte": ["$due_at", own]}}}]
