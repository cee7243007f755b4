"""Read the counts of projects: exact, in one query for all of them, however many tasks there are.

A second query reads the tasks that were due since the periodic job last counted the overdue ones.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import NotFound
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import NONE
from taskmanager.features.tasks.counts.slots import EDGE, INNER, Slot, slot_of
from taskmanager.features.tasks.models import Task

_OVERALL = ("project_id", "status", "priority", "label", "person", "closed", "overdue", "overdue_before")


def project_ids(actor: Actor, project_id: ObjectId | None) -> list[ObjectId]:
    """Return the ids of one project, or of all projects that the actor sees but the archived ones. Raises NotFound."""
    if project_id is None:
        return [key for key in actor.project_roles if key not in actor.archived]
    if actor.role_in(project_id) is None:
        raise NotFound
    return [project_id]


def overall(ids: Collection[ObjectId]) -> list[Row]:
    """Return the documents of all tasks of these projects."""
    found = TaskCounts._get_collection().find({"project_id": {"$in": list(ids)}, "week": None}, [*_OVERALL, "week"])
    return list(found)


def with_weeks(ids: Collection[ObjectId], monday: datetime, first_day: datetime, days: int) -> tuple[list[Row], str]:
    """Return the documents of these projects from `monday` or `first_day` on, with slots of days since `first_day`.

    Also return which slots these are: `hours` when all days in the zone of the caller begin at an hour of UTC.
    """
    unit = _unit(first_day, days)
    first_week, of_days = slot_of(monday).week, slot_of(first_day).week
    projection = dict.fromkeys((*_OVERALL, "week", "weekly"), 1)
    stages = [
        {"$match": {"project_id": {"$in": list(ids)}, "week": {"$not": {"$lt": min(first_week, of_days)}}}},
        {"$project": projection | {unit: {"$cond": [{"$gte": ["$week", of_days]}, f"${unit}", "$$REMOVE"]}}},
    ]
    return list(TaskCounts._get_collection().aggregate(stages)), unit


def _unit(first_day: datetime, days: int) -> str:
    begins = (first_day + timedelta(days=number) for number in range(days))
    whole = all((day.utcoffset() or timedelta()) % timedelta(hours=1) == timedelta() for day in begins)
    return "hours" if whole else "quarters"


def by_week(weeks: Iterable[Row]) -> Iterator[tuple[datetime, Row]]:
    """Yield the numbers of the slots that weeks of all zones need, with a moment in each."""
    for row in weeks:
        for name, numbers in row.get("weekly", {}).items():
            yield Slot(row["week"], EDGE if name == INNER else int(name)).begin, numbers


def by_day(weeks: Iterable[Row], unit: str) -> Iterator[tuple[datetime, Row]]:
    """Yield the numbers of the slots that days need, with the first moment of each."""
    quarters = 4 if unit == "hours" else 1
    for row in weeks:
        for name, numbers in row.get(unit, {}).items():
            yield Slot(row["week"], int(name) * quarters).begin, numbers


def merged(rows: Iterable[Row], field: str) -> Counter[str]:
    """Return the sums of a field that is {name: number}, without those that are zero."""
    sums: Counter[str] = Counter()
    for row in rows:
        sums.update(row.get(field, {}))
    return Counter({name: number for name, number in sums.items() if number})


def people(rows: Iterable[Row]) -> dict[str, Counter[str]]:
    """Return the numbers of each person: {id or NONE: {tasks, open, overdue, estimate}}."""
    sums: dict[str, Counter[str]] = {}
    for row in rows:
        for person, numbers in row.get("person", {}).items():
            sums.setdefault(person, Counter()).update(numbers)
    return sums


def statuses(rows: Iterable[Row]) -> Counter[tuple[str, str]]:
    """Return the number of tasks of each status: {(status, group): tasks}, without those that are zero."""
    sums: Counter[tuple[str, str]] = Counter()
    for row in rows:
        for status, groups in row.get("status", {}).items():
            for group, number in groups.items():
                sums[status, group] += number
    return Counter({key: number for key, number in sums.items() if number})


def overdue_since(rows: Collection[Row], moment: datetime) -> Counter[str]:
    """Return the tasks that became overdue since those were counted, and before `moment`: {person or NONE: tasks}.

    The key "" has the number of all of them.
    """
    since = {row["project_id"]: row["overdue_before"] for row in rows}
    found: Counter[str] = Counter()
    for task in became_overdue(since, min(since.values(), default=moment), moment):
        if task["due_at"] >= since[task["project_id"]]:
            found.update(["", *map(str, task.get("assignee_ids") or [NONE])])
    return found


def became_overdue(ids: Iterable[ObjectId], begin: datetime, end: datetime) -> Iterator[Row]:
    """Yield the open tasks of these projects that were due between two moments."""
    if begin >= end:
        return iter(())
    query: dict[str, Any] = {"project_id": {"$in": list(ids)}, "deleted_at": None}
    query |= {"due_at": {"$gte": begin, "$lt": end}, "status_group": {"$in": list(OPEN_GROUPS)}}
    return iter(Task._get_collection().find(query, ["project_id", "due_at", "assignee_ids"]))
