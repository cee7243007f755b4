"""Projects get a time zone, and recurring tasks with a zoned due the clock that they live on.

A project is in the zone of its first owner. Whole days and local times were stored as if they were in UTC; those of
projects elsewhere are placed in the zone of the project. A series whose due has an offset and no zone gets the zone of
the account that made it, as new ones do.
"""

import re
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from pymongo import UpdateOne

_BATCH = 1000
_ZONED = re.compile(r"T.*(?:Z|[+-][0-9]{2}:[0-9]{2})$")


def upgrade(database: Any) -> None:
    """Fill in what is missing; safe to run twice."""
    for project in database["projects"].find({"timezone": {"$exists": False}}, ["_id"]):
        zone = _zone_of_owner(database, project["_id"])
        if zone != "UTC":
            _place(database["tasks"], project["_id"], zone)
        database["projects"].update_one({"_id": project["_id"]}, {"$set": {"timezone": zone}})
    _name_clocks(database)


def _zone_of_owner(database: Any, project_id: Any) -> str:
    first = database["memberships"].find_one({"project_id": project_id, "role": "owner"}, sort=[("_id", 1)])
    return _zone_of(database, first and first["user_id"])


def _zone_of(database: Any, user_id: Any) -> str:
    user = database["users"].find_one({"_id": user_id}, ["timezone"]) or {}
    return str(user.get("timezone") or "UTC")


def _place(tasks: Any, project_id: Any, zone: str) -> None:
    placed = [
        UpdateOne({"_id": row["_id"], "due": row["due"]}, {"$set": {"due_at": _moment(row["due"], zone)}})
        for row in tasks.find({"project_id": project_id, "due_floating": True}, ["due"])
    ]
    for start in range(0, len(placed), _BATCH):
        tasks.bulk_write(placed[start : start + _BATCH])


def _moment(due: str, zone: str) -> datetime:
    if "T" not in due:
        return datetime.combine(date.fromisoformat(due), time(23, 59, 59, 999_000), ZoneInfo(zone)).astimezone(UTC)
    return datetime.fromisoformat(due).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _name_clocks(database: Any) -> None:
    tasks = database["tasks"]
    where = {"recurrence": {"$exists": True}, "due": _ZONED, "due_timezone": {"$exists": False}}
    for reporter_id in tasks.distinct("reporter_id", where):
        zone = _zone_of(database, reporter_id)
        for row in tasks.find(where | {"reporter_id": reporter_id}, ["due"]):
            here = datetime.fromisoformat(row["due"]).astimezone(ZoneInfo(zone)).time()
            tasks.update_one({"_id": row["_id"]}, {"$set": {"due_timezone": zone, "recurs_at": here.isoformat()}})
