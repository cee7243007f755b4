"""Statistics of tasks: statuses, overdue tasks, throughput, workload, burn-down.

Those without a filter come from the counts of the projects, those with one from an aggregation over tasks.

Throughput is the number of tasks completed in a week. Cycle time is the time from when a task first became active (or
was created, if it never was) to its completion (D. Anderson, Kanban, 2010); the median is that of times with three
significant digits. Burn-down is the number of open tasks at
the end of each day. Weeks begin on Monday, and days at midnight, in the time zone of the caller.
"""

from bisect import bisect_right
from collections import Counter
from datetime import date, datetime, timedelta
from itertools import accumulate
from typing import NamedTuple

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.core.zones import zone
from taskmanager.features.insights.counts import reading
from taskmanager.features.insights.matches import counted_parts, relation
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.numbers import NONE, hundredths
from taskmanager.features.tasks.listing import matching

MAX_PEOPLE = 200
_BEGUN = {"$ifNull": ["$started_at", "$created_at"]}
_CYCLE_MS = {"$subtract": ["$completed_at", _BEGUN]}
_HOUR_MS = 3_600_000
_OPEN = {"status_group": {"$in": list(OPEN_GROUPS)}}


class Period(NamedTuple):
    """The time that statistics are about, in the zone of the caller."""

    moment: datetime
    weeks: int
    days: int

    @classmethod
    def of(cls, actor: Actor, weeks: int, days: int) -> "Period":
        """Return the period up to now."""
        return cls(now().astimezone(zone(actor.timezone)), weeks, days)

    @property
    def today(self) -> datetime:
        """Return the beginning of today."""
        return self.moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)

    @property
    def monday(self) -> datetime:
        """Return the beginning of the first week."""
        return self.today - timedelta(days=self.today.weekday(), weeks=self.weeks - 1)

    @property
    def first_day(self) -> datetime:
        """Return the beginning of the first day."""
        return self.today - timedelta(days=self.days - 1)


def compute(
    *,
    actor: Actor,
    project_id: ObjectId | None = None,
    condition: GivenFilter | None = None,
    weeks: int = 12,
    days: int = 30,
) -> Row:
    """Return the statistics of the tasks of a project, or of all that the actor may see, that match a filter.

    `relation` is `gte` when more than MAX_COUNTED tasks match: then only so many are counted.
    Raises NotFound, Invalid; with a filter also TooMany, Unavailable (`query.too_slow`).
    """
    period = Period.of(actor, weeks, days)
    if condition is None:
        return _answer(_stored(reading.project_ids(actor, project_id), period), period)
    return of_matching(condition, actor, project_id, period)


def of_matching(condition: GivenFilter | None, actor: Actor, project_id: ObjectId | None, period: Period) -> Row:
    """Return the statistics of the tasks that match a filter, by reading at most MAX_COUNTED of them."""
    found = counted_parts(matching(condition, actor, project_id), _parts(period), actor)
    return _answer(found, period) | {"relation": relation(found)}


def _answer(found: Row, period: Period) -> Row:
    by_status = sorted(found["by_status"], key=lambda row: (-row["count"], row["_id"]["s"], row["_id"]["g"]))
    return {
        "relation": "eq",
        "total": sum(row["count"] for row in by_status),
        "by_status": [_status(row) for row in by_status],
        "overdue": _count(found["overdue"]),
        "weeks": _weeks(found, period.monday, period.weeks),
        "workload": [_person(row) for row in found["workload"]],
        "burn_down": _burn_down(found, period.first_day, period.days),
    }


def _stored(project_ids: list[ObjectId], period: Period) -> Row:
    """Return from the counts what the aggregation of `_parts` returns from the tasks."""
    rows, unit = reading.with_weeks(project_ids, period.monday, period.first_day, period.days)
    overall, weeks = [row for row in rows if row["week"] is None], [row for row in rows if row["week"] is not None]
    overdue, statuses = reading.overdue_since(overall, period.moment), reading.statuses(overall)
    weekly = list(reading.by_week(weeks))
    daily = [(begin, numbers) for begin, numbers in reading.by_day(weeks, unit) if begin >= period.first_day]
    since = {name: sum(numbers.get(name, 0) for _, numbers in daily) for name in ("created", "closed")}
    closed = sum(row.get("closed", 0) for row in overall)
    return {
        "by_status": [{"_id": {"s": key[0], "g": key[1]}, "count": number} for key, number in statuses.items()],
        "overdue": [{"count": sum(row.get("overdue", 0) for row in overall) + overdue[""]}],
        "created": [{"_id": begin, "count": numbers.get("created", 0)} for begin, numbers in weekly],
        "completed": [_completed(begin, numbers) for begin, numbers in weekly],
        "workload": _stored_workload(reading.people(overall), overdue),
        "open_before": [{"count": statuses.total() - since["created"] - (closed - since["closed"])}],
        "created_by_day": [{"_id": begin, "count": numbers.get("created", 0)} for begin, numbers in daily],
        "closed_by_day": [{"_id": begin, "count": numbers.get("closed", 0)} for begin, numbers in daily],
    }


def _completed(begin: datetime, numbers: Row) -> Row:
    hours = {int(name): number for name, number in numbers.get("hours", {}).items()}
    return {"_id": begin, "count": numbers.get("completed", 0), "ms": numbers.get("ms", 0), "hours": hours}


def _stored_workload(people: dict[str, Counter[str]], overdue: Counter[str]) -> list[Row]:
    rows: list[Row] = [
        {
            "_id": None if person == NONE else person,
            "open": numbers["open"],
            "overdue": numbers["overdue"] + overdue[person],
            "estimate_minutes": numbers["estimate"],
        }
        for person, numbers in people.items()
        if numbers["open"]
    ]
    return sorted(rows, key=lambda row: (-row["open"], row["_id"] is not None, row["_id"]))[:MAX_PEOPLE]


def _parts(period: Period) -> dict[str, list[Row]]:
    first_day, moment = period.first_day, period.moment
    return {
        "by_status": [{"$group": {"_id": {"s": "$status", "g": "$status_group"}, "count": {"$sum": 1}}}],
        "overdue": [{"$match": _OPEN | {"$expr": _is_overdue(moment)}}, {"$count": "count"}],
        "created": _by_quarter("created_at", period.monday),
        "completed": _by_quarter("completed_at", period.monday, ms={"$sum": _CYCLE_MS}, each={"$push": _CYCLE_MS}),
        "workload": _workload(moment),
        "open_before": [{"$match": {"created_at": {"$lt": first_day}, **_still_open(first_day)}}, {"$count": "count"}],
        "created_by_day": _by_quarter("created_at", first_day),
        "closed_by_day": _by_quarter("closed_at", first_day),
    }


def _is_overdue(moment: datetime) -> Row:
    """Return the expression for whether a task is overdue."""
    return {"$and": [{"$gt": ["$due_at", None]}, {"$lt": ["$due_at", moment]}]}


def _by_quarter(field: str, first: datetime, **more: Row) -> list[Row]:
    """Return the stages that count by quarters of an hour in UTC; the days of all zones begin with one.

    The database may have other zone data than the service, so the service assigns the quarters to days.
    """
    quarter = {"$dateTrunc": {"date": f"${field}", "unit": "minute", "binSize": 15}}
    return [{"$match": {field: {"$gte": first}}}, {"$group": {"_id": quarter, "count": {"$sum": 1}, **more}}]


def _still_open(moment: datetime) -> Row:
    return {"$or": [{"closed_at": {"$exists": False}}, {"closed_at": {"$gte": moment}}]}


def _workload(moment: datetime) -> list[Row]:
    return [
        {"$match": _OPEN},
        {"$unwind": {"path": "$assignee_ids", "preserveNullAndEmptyArrays": True}},
        {
            "$group": {
                "_id": "$assignee_ids",
                "open": {"$sum": 1},
                "overdue": {"$sum": {"$cond": [_is_overdue(moment), 1, 0]}},
                "estimate_minutes": {"$sum": {"$ifNull": ["$estimate_minutes", 0]}},
            }
        },
        {"$sort": {"open": -1, "_id": 1}},
        {"$limit": MAX_PEOPLE},
    ]


def _status(row: Row) -> Row:
    return {"status": row["_id"]["s"], "status_group": row["_id"]["g"], "count": row["count"]}


def _person(row: Row) -> Row:
    return {"user_id": row["_id"] and str(row["_id"]), **{name: row[name] for name in row if name != "_id"}}


def _count(rows: list[Row]) -> int:
    return rows[0]["count"] if rows else 0


def _weeks(found: Row, monday: datetime, weeks: int) -> list[Row]:
    created, completed = (_by_week(found[name], monday) for name in ("created", "completed"))
    return [_week((monday + timedelta(weeks=number)).date(), created, completed) for number in range(weeks)]


def _by_week(rows: list[Row], monday: datetime) -> dict[date, Row]:
    weeks: dict[date, Row] = {}
    for row in rows:
        day = row["_id"].astimezone(monday.tzinfo).date()
        week = weeks.setdefault(day - timedelta(days=day.weekday()), {"count": 0, "ms": 0, "hours": Counter()})
        week["count"] += row["count"]
        week["ms"] += row.get("ms", 0)
        week["hours"].update(row["hours"] if "hours" in row else map(hundredths, row.get("each", ())))
    return weeks


def _week(day: date, created: dict[date, Row], completed: dict[date, Row]) -> Row:
    done = completed.get(day, {"count": 0})
    return {
        "week": day.isoformat(),
        "created": created.get(day, {}).get("count", 0),
        "completed": done["count"],
        "cycle_hours_median": _median(done["hours"]) if done["count"] else None,
        "cycle_hours_mean": round(done["ms"] / done["count"] / _HOUR_MS, 2) if done["count"] else None,
    }


def _median(hundredths_of_hours: Counter[int]) -> float:
    """Return the median in hours of times that are counted in hundredths."""
    values = sorted(hundredths_of_hours)
    ends = list(accumulate(hundredths_of_hours[value] for value in values))
    middle = [values[bisect_right(ends, position)] for position in ((ends[-1] - 1) // 2, ends[-1] // 2)]
    return round(sum(middle) / 200, 2)


def _burn_down(found: Row, first_day: datetime, days: int) -> list[Row]:
    created, closed = (_by_day(found[name], first_day) for name in ("created_by_day", "closed_by_day"))
    still_open, burn_down = _count(found["open_before"]), []
    for number in range(days):
        day = (first_day + timedelta(days=number)).date().isoformat()
        still_open += created[day] - closed[day]
        burn_down.append({"day": day, "open": still_open, "created": created[day], "closed": closed[day]})
    return burn_down


def _by_day(rows: list[Row], first_day: datetime) -> Counter[str]:
    days: Counter[str] = Counter()
    for row in rows:
        days[row["_id"].astimezone(first_day.tzinfo).date().isoformat()] += row["count"]
    return days
