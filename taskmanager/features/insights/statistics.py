"""Statistics of tasks: statuses, overdue tasks, throughput, workload, burn-down.

Those without a filter come from the counts of the projects, those with one from an aggregation over tasks.

Throughput is the number of tasks completed in a week. Cycle time is the time from when a task first became active (or
was created, if it never was) to its completion (D. Anderson, Kanban, 2010); the median is that of times with three
significant digits. Burn-down is the number of open tasks at
the end of each day. Weeks begin on Monday, and days at midnight, in the time zone of the caller.
"""

from bisect import bisect_right
from collections import Counter
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.core.zones import zone
from taskmanager.features.insights.counts import reading, series
from taskmanager.features.insights.counts.kept import Kept
from taskmanager.features.insights.matches import counted_parts, relation
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.counts.numbers import NONE, hundredths
from taskmanager.features.tasks.listing import matching, scope

MAX_PEOPLE = 200
_BEGUN = {"$ifNull": ["$started_at", "$created_at"]}
_CYCLE_MS = {"$subtract": ["$completed_at", _BEGUN]}
_HOUR_MS = 3_600_000
_OPEN = {"status_group": {"$in": list(OPEN_GROUPS)}}

_kept = Kept[Row]("statistics")


class Dates(NamedTuple):
    """The weeks and days of statistics, in a zone: where they begin, their dates, and the slots of the days."""

    monday: datetime
    first_day: datetime
    of_weeks: list[date]
    of_days: list[str]
    days: series.Days

    @property
    def bounds(self) -> tuple[datetime, datetime, str]:
        """Return where the weeks and the days begin, and the unit of their slots."""
        return self.monday, self.first_day, self.days.unit


@lru_cache(maxsize=64)  # of the present day; one takes less than 100 kB, and most take 5
def _dates(today: date, zone: ZoneInfo, weeks: int, days: int) -> Dates:
    """Return the weeks and days up to today."""
    monday = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    first_day = today - timedelta(days=days - 1)
    begin = datetime.combine(first_day, time(), zone)
    return Dates(
        datetime.combine(monday, time(), zone),
        begin,
        [monday + timedelta(weeks=number) for number in range(weeks)],
        [(first_day + timedelta(days=number)).isoformat() for number in range(days)],
        series.Days.of(begin, days),
    )


class Period(NamedTuple):
    """The time that statistics are about, in the zone of the caller."""

    moment: datetime
    zone: ZoneInfo
    dates: Dates

    @classmethod
    def of(cls, actor: Actor, weeks: int, days: int) -> "Period":
        """Return the period up to now."""
        its_zone = zone(actor.timezone)
        moment = now().astimezone(its_zone)
        return cls(moment, its_zone, _dates(moment.date(), its_zone, weeks, days))


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
        documents = reading.with_weeks(scope(actor, project_id), *period.dates.bounds, period.moment)
        key = period.moment.date(), period.zone, weeks, days
        return _kept.of(documents, key, lambda rows: _answer(_stored(rows, period), period))
    return of_matching(condition, actor, project_id, period)


def of_matching(condition: GivenFilter | None, actor: Actor, project_id: ObjectId | None, period: Period) -> Row:
    """Return the statistics of the tasks that match a filter, by reading at most MAX_COUNTED of them."""
    found = counted_parts(matching(condition, actor, project_id), _parts(period), actor)
    return _answer(_aggregated(found, period), period) | {"relation": relation(found)}


def _aggregated(found: Row, period: Period) -> Row:
    """Return the numbers of statistics from the results of `_parts`."""
    return {
        "by_status": found["by_status"],
        "overdue": _count(found["overdue"]),
        "weeks": _by_week(found, period.zone),
        "workload": found["workload"],
        "open_before": _count(found["open_before"]),
        "created": _by_day(found["created_by_day"], period),
        "closed": _by_day(found["closed_by_day"], period),
    }


def _answer(found: Row, period: Period) -> Row:
    by_status = sorted(found["by_status"], key=lambda row: (-row["count"], row["_id"]["s"], row["_id"]["g"]))
    return {
        "relation": "eq",
        "total": sum(row["count"] for row in by_status),
        "by_status": [_status(row) for row in by_status],
        "overdue": found["overdue"],
        "weeks": [_week(day, found["weeks"].get(day) or series.empty_week()) for day in period.dates.of_weeks],
        "workload": [_person(row) for row in found["workload"]],
        "burn_down": _burn_down(found, period),
    }


def _stored(rows: list[Row], period: Period) -> Row:
    """Return from the counts what `_aggregated` returns from the tasks."""
    became_overdue = reading.became_overdue_by_person(row for row in rows if "week" not in row)
    counts, days = [row for row in rows if "week" in row], period.dates.days
    overall, weeks = [row for row in counts if row["week"] is None], [row for row in counts if row["week"] is not None]
    statuses = reading.statuses(overall)
    created, closed = (series.by_day(weeks, name, days) for name in ("created", "closed"))
    all_closed = reading.total(overall, "all_closed")
    return {
        "by_status": [{"_id": {"s": key[0], "g": key[1]}, "count": number} for key, number in statuses.items()],
        "overdue": reading.total(overall, "overdue") + became_overdue[""],
        "weeks": series.by_week(weeks, period.zone),
        "workload": _stored_workload(reading.people(overall), became_overdue),
        "open_before": sum(statuses.values()) - sum(created[1:]) - (all_closed - sum(closed[1:])),
        "created": created[1:-1],
        "closed": closed[1:-1],
    }


def _stored_workload(people: dict[str, dict[str, int]], overdue: Counter[str]) -> list[Row]:
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
    moment, monday, first_day = period.moment, period.dates.monday, period.dates.first_day
    return {
        "by_status": [{"$group": {"_id": {"s": "$status", "g": "$status_group"}, "count": {"$sum": 1}}}],
        "overdue": [{"$match": _OPEN | {"$expr": _is_overdue(moment)}}, {"$count": "count"}],
        "created": _by_quarter("created_at", monday),
        "completed": _by_quarter("completed_at", monday, ms={"$sum": _CYCLE_MS}, each={"$push": _CYCLE_MS}),
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


def _by_week(found: Row, zone: ZoneInfo) -> dict[date, Row]:
    weeks: dict[date, Row] = {}
    for name in ("created", "completed"):
        for row in found[name]:
            day = row["_id"].astimezone(zone).date()
            week = weeks.setdefault(day - timedelta(days=day.weekday()), series.empty_week())
            week[name] += row["count"]
            week["ms"] += row.get("ms", 0)
            for cycle in map(hundredths, row.get("each", ())):
                week["hours"][cycle] = week["hours"].get(cycle, 0) + 1
    return weeks


def _week(monday: date, numbers: Row) -> Row:
    done = max(0, numbers["completed"])
    return {
        "week": monday.isoformat(),
        "created": max(0, numbers["created"]),
        "completed": done,
        "cycle_hours_median": _median(numbers["hours"]) if done else None,
        "cycle_hours_mean": max(0.0, round(numbers["ms"] / done / _HOUR_MS, 2)) if done else None,
    }


def _median(hundredths_of_hours: dict[Any, int]) -> float | None:
    """Return the median in hours of times that are counted in hundredths; None when no time is counted."""
    numbers = {int(value): number for value, number in hundredths_of_hours.items() if number > 0}
    if not numbers:
        return None
    values = sorted(numbers)
    ends = list(accumulate([numbers[value] for value in values]))
    middle = [values[bisect_right(ends, position)] for position in ((ends[-1] - 1) // 2, ends[-1] // 2)]
    return max(0.0, round(sum(middle) / 200, 2))


def _burn_down(found: Row, period: Period) -> list[Row]:
    still_open, burn_down = found["open_before"], []
    for day, created, closed in zip(period.dates.of_days, found["created"], found["closed"], strict=True):
        still_open += created - closed
        numbers = {"open": max(0, still_open), "created": max(0, created), "closed": max(0, closed)}
        burn_down.append({"day": day, **numbers})
    return burn_down


def _by_day(rows: list[Row], period: Period) -> list[int]:
    """Return the number of each day."""
    first, numbers = period.dates.first_day.date(), Counter[int]()
    for row in rows:
        numbers[(row["_id"].astimezone(period.zone).date() - first).days] += row["count"]
    return [numbers[day] for day in range(period.dates.days.number)]
