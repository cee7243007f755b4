"""Projects get a time zone, and recurring tasks with a zoned due the clock that they live on.

A project is in the zone of its first owner. Whole days and local times were stored as if they were in UTC; those of
projects elsewhere are placed in the zone of the project. A series whose due has an offset and no zone gets the zone of
the account that made it, as new ones do. What clients see changes, so revisions go up: a stored ETag is not good for
the new content. Reminders follow the due.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from pymongo.database import Database

from taskmanager.core.clock import milliseconds, now, shifted
from taskmanager.core.zones import zone

_ZONED = re.compile(r"T.*(?:Z|[+-][0-9]{2}:[0-9]{2})$")


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in what is missing; safe to run twice."""
    for project in database["projects"].find({"timezone": {"$exists": False}}, ["_id"]):
        place = _zone_of_owner(database, project["_id"])
        if place != "UTC":
            _place(database, project["_id"], place)
        database["projects"].update_one({"_id": project["_id"]}, {"$set": {"timezone": place}, "$inc": {"revision": 1}})
    _name_clocks(database)


def _zone_of_owner(database: Database[dict[str, Any]], project_id: Any) -> str:
    first = database["memberships"].find_one({"project_id": project_id, "role": "owner"}, sort=[("_id", 1)])
    return _zone_of(database, first and first["user_id"])


def _zone_of(database: Database[dict[str, Any]], user_id: Any) -> str:
    user = database["users"].find_one({"_id": user_id}, ["timezone"]) or {}
    return str(user.get("timezone") or "UTC")


def _place(database: Database[dict[str, Any]], project_id: Any, place: str) -> None:
    """Place each due and its reminders; a task that is placed already keeps its revision."""
    for row in database["tasks"].find({"project_id": project_id, "due_floating": True}, ["due", "due_at"]):
        try:
            due_at = _moment(row["due"], place)
        except OverflowError:  # at an end of the calendar, where earlier releases let dues be
            continue
        same = {"_id": row["_id"], "due": row["due"], "due_at": {"$ne": due_at}}
        database["tasks"].update_one(same, {"$set": {"due_at": due_at}, "$inc": _BY_SERVICE})
        for reminder in database["reminders"].find({"task_id": row["_id"], "relative_to": "due"}):
            _follow(database, reminder, _due(database, reminder["user_id"], row["due"], due_at))


_BY_SERVICE = {"revision": 1, "own_writes": 1}


def _moment(due: str, place: str) -> datetime:
    if "T" not in due:
        return datetime.combine(date.fromisoformat(due), time(23, 59, 59, 999_000), zone(place)).astimezone(UTC)
    return milliseconds(datetime.fromisoformat(due).replace(tzinfo=zone(place)))


def _due(database: Database[dict[str, Any]], user_id: Any, due: str, due_at: datetime) -> datetime:
    """Return what reminders count from: of a whole day nine in the morning of the user, but never after its end."""
    if "T" in due:
        return due_at
    morning = datetime.combine(date.fromisoformat(due), time(9), zone(_zone_of(database, user_id)))
    return min(morning.astimezone(UTC), due_at)


def _follow(database: Database[dict[str, Any]], reminder: dict[str, Any], due: datetime) -> None:
    """Move a reminder as a change of the due does: one whose time is past by now is not set, or stays fired."""
    moment, before = shifted(due, -timedelta(minutes=reminder["minutes_before"])), reminder.get("fire_at")
    to_come = moment if moment and moment >= now() else None
    if before in (moment, to_come):
        return
    place = {"$set": {"fire_at": to_come}} if to_come else {"$unset": {"fire_at": 1}}
    gone = {**place.get("$unset", {}), "fired_at": 1}
    same = {"_id": reminder["_id"], "revision": reminder["revision"]}
    database["reminders"].update_one(same, {**place, "$unset": gone, "$inc": {"revision": 1}})


def _name_clocks(database: Database[dict[str, Any]]) -> None:
    tasks = database["tasks"]
    where = {"recurrence": {"$exists": True}, "due": _ZONED, "due_timezone": {"$exists": False}}
    for reporter_id in tasks.distinct("reporter_id", where):
        clock = _zone_of(database, reporter_id)
        for row in tasks.find(where | {"reporter_id": reporter_id}, ["due"]):
            here = datetime.fromisoformat(row["due"]).astimezone(zone(clock)).time()
            named = {"due_timezone": clock, "due_timezone_chosen": True, "recurs_at": here.isoformat()}
            same = {"_id": row["_id"], "due": row["due"], "due_timezone": {"$exists": False}}
            tasks.update_one(same, {"$set": named, "$inc": _BY_SERVICE})
