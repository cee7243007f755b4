"""Statistics of tasks, computed by one aggregation: statuses, overdue tasks, throughput, workload, burn-down.

Throughput is the number of tasks completed in a week. Cycle time is the time from when a task first became active (or
was created, if it never was) to its completion (D. Anderson, Kanban, 2010). Burn-down is the number of open tasks at
the end of each day. Weeks begin on Monday, and days at midnight, in the time zone of the caller.
"""

from collections import Counter
from datetime import date, datetime, timedelta
from statistics import median

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.core.zones import zone
from taskmanager.features.projects.workflow import OPEN_GROUPS
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.listing import matching

MAX_PEOPLE = 200
_BEGUN = {"$ifNull": ["$started_at", "$created_at"]}
_HOURS = {"$divide": [{"$subtract": ["$completed_at", _BEGUN]}, 3_600_000]}
_OPEN = {"status_group": {"$in": list(OPEN_GROUPS)}}


def compute(
    *,
    actor: Actor,
    project_id: ObjectId | None = None,
    condition: GivenFilter | None = None,
    weeks: int = 12,
    days: int = 30,
) -> Row:
    """Return the statistics of the tasks of a project, or of all that the actor may see, that match a filter.

    Raises NotFound, TooMany, Unavailable (`query.too_slow`).
    """
    moment = now().astimezone(zone(actor.timezone))
    today = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    monday = today - timedelta(days=today.weekday(), weeks=weeks - 1)
    first_day = today - timedelta(days=days - 1)
    tasks = matching(condition, actor, project_id)
    with expensive(actor):
        found = tasks.piped({"$facet": _parts(moment, monday, first_day)})[0]
    return {
        "total": sum(row["count"] for row in found["by_status"]),
        "by_status": [_status(row) for row in sorted(found["by_status"], key=lambda row: -row["count"])],
        "overdue": _count(found["overdue"]),
        "weeks": _weeks(found, monday, weeks),
        "workload": [_person(row) for row in found["workload"]],
        "burn_down": _burn_down(found, first_day, days),
    }


def _parts(moment: datetime, monday: datetime, first_day: datetime) -> Row:
    return {
        "by_status": [{"$group": {"_id": {"s": "$status", "g": "$status_group"}, "count": {"$sum": 1}}}],
        "overdue": [{"$match": _OPEN | {"$expr": _is_overdue(moment)}}, {"$count": "count"}],
        "created": _by_quarter("created_at", monday),
        "completed": _by_quarter("completed_at", monday, hours={"$push": _HOURS}),
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
        week = weeks.setdefault(day - timedelta(days=day.weekday()), {"count": 0, "hours": []})
        week["count"] += row["count"]
        week["hours"] += row.get("hours", [])
    return weeks


def _week(day: date, created: dict[date, Row], completed: dict[date, Row]) -> Row:
    hours = completed.get(day, {}).get("hours", [])
    return {
        "week": day.isoformat(),
        "created": created.get(day, {}).get("count", 0),
        "completed": completed.get(day, {}).get("count", 0),
        "cycle_hours_median": round(median(hours), 2) if hours else None,
        "cycle_hours_mean": round(sum(hours) / len(hours), 2) if hours else None,
    }


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
