"""Read the counts of projects: exact, in one query for all of them, however many tasks there are.

A second query reads the tasks that were due since the periodic job last counted the overdue ones. Until a repair,
numbers may be missing, or below zero, in projects that a release without counts has written: none is returned then.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from bson import ObjectId

from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.replicas.reading import readable
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import NONE
from taskmanager.features.tasks.counts.slots import slot_of
from taskmanager.features.tasks.models import Task

_OVERALL = ("project_id", "status", "priority", "label", "person", "all_closed", "overdue", "overdue_before", "week")


def overall(ids: Collection[ObjectId]) -> list[Row]:
    """Return the documents of all tasks of these projects."""
    with readable(TaskCounts._get_collection()) as counts:
        return list(counts.find({"project_id": {"$in": list(ids)}, "week": None}, _OVERALL))


def with_weeks(ids: Collection[ObjectId], monday: datetime, first_day: datetime, unit: str) -> list[Row]:
    """Return the documents of these projects from `monday` or `first_day` on, with slots of days since `first_day`."""
    of_days = slot_of(first_day).week
    daily: dict[str, Row] = {name: {unit: _from(of_days, f"${name}.{unit}")} for name in ("created", "closed")}
    daily["created"]["week"] = "$created.week"
    stages = [
        {"$match": {"project_id": {"$in": list(ids)}, "week": {"$not": {"$lt": min(slot_of(monday).week, of_days)}}}},
        {"$project": {**dict.fromkeys((*_OVERALL, "completed"), 1), **daily}},
    ]
    with readable(TaskCounts._get_collection()) as counts:
        return list(counts.aggregate(stages))


def _from(week: int, value: str) -> Row:
    return {"$cond": [{"$gte": ["$week", week]}, value, "$$REMOVE"]}


def merged(rows: Iterable[Row], field: str) -> Counter[str]:
    """Return the sums of a field that is {name: number}, without those that are zero."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update(row.get(field, {}))
    return +sums


def people(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Return the numbers of each person: {id or NONE: {tasks, open, overdue, estimate}}."""
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        for person, numbers in row.get("person", {}).items():
            sums.setdefault(person, Counter()).update(numbers)
    return {person: +numbers for person, numbers in sums.items()}


def statuses(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Return the number of tasks of each status: {(status, group): tasks}, without those that are zero."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for status, groups in row.get("status", {}).items():
            for group, number in groups.items():
                sums[status, group] += number
    return +sums


def total(rows: Iterable[Row], field: str) -> int:
    """Return the sum of a field that is a number, at least 0."""
    return max(0, sum(row.get(field, 0) for row in rows))


def overdue_since(rows: Collection[Row], moment: datetime) -> Counter[str]:
    """Return the tasks that became overdue since those were counted, and before `moment`: {person or NONE: tasks}.

    The key "" has the number of all of them.
    """
    since = {row["project_id"]: row.get("overdue_before", moment) for row in rows}
    found: Counter[str] = Counter()
    for people, tasks in became_overdue(since, moment).items():
        found.update(dict.fromkeys(("", *people), tasks))
    return found


def became_overdue(since: Mapping[ObjectId, datetime], end: datetime) -> dict[tuple[str, ...], int]:
    """Return the open tasks that were due from the moment of their project until `end`: {people or NONE: tasks}.

    MongoDB counts them, because thousands of tasks may be due at the same minute.
    """
    alike = {"_id": {"$ifNull": ["$assignee_ids", []]}, "tasks": {"$sum": 1}}
    return {tuple(map(str, row["_id"])) or (NONE,): row["tasks"] for row in _due_since(since, end, alike)}


def projects_with_overdue(since: Mapping[ObjectId, datetime], end: datetime) -> set[ObjectId]:
    """Return the projects with open tasks that were due from the moment of their project until `end`."""
    return {row["_id"] for row in _due_since(since, end, {"_id": "$project_id"})}


def _due_since(since: Mapping[ObjectId, datetime], end: datetime, grouped: Row) -> Iterable[Row]:
    begin = min(since.values(), default=end)
    if begin >= end:
        return []
    query: Row = {"project_id": {"$in": list(since)}, "deleted_at": None}
    query |= {"due_at": {"$gte": begin, "$lt": end}, "status_group": {"$in": list(OPEN_GROUPS)}}
    own = {"$arrayElemAt": [list(since.values()), {"$indexOfArray": [list(since), "$project_id"]}]}
    stages = [{"$match": query}, {"$match": {"$expr": {"$gte": ["$due_at", own]}}}, {"$group": grouped}]
    with readable(Task._get_collection()) as tasks:
        return list(tasks.aggregate(stages))
