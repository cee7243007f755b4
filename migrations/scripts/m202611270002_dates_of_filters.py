"""Dates in the filters of views and webhooks lie in the years 1900 to 2200.

Filters refuse other dates since this release. One that was saved before would not be understood any more: its dates
become the nearest that are allowed, which no task of use lies beyond.
"""

import re
from typing import Any

from pymongo.database import Database

_DATE = re.compile(r"(?<![\w-])([0-9]{4})-[0-9]{2}-[0-9]{2}")
_FIRST, _LAST = "1900-01-01", "2200-12-31"


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Change the filters that name other dates; safe to run twice."""
    for name in ("views", "webhooks"):
        for row in database[name].find({"filter": {"$regex": "[0-9]{4}-[0-9]{2}-[0-9]{2}"}}, ["filter"]):
            text = _DATE.sub(_nearest, row["filter"])
            if text != row["filter"]:
                change = {"$set": {"filter": text}, "$inc": {"revision": 1}}
                database[name].update_one({"_id": row["_id"], "filter": row["filter"]}, change)


def _nearest(match: re.Match[str]) -> str:
    if match[1] < _FIRST[:4]:
        return _FIRST
    return _LAST if match[1] > _LAST[:4] else match[0]
