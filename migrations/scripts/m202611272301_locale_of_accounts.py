"""Accounts of before languages get the one that they were written in, so that lists of accounts have no null."""

from typing import Any

from pymongo.database import Database

EXPAND = True


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Store English where no language is stored; safe to run twice."""
    database["users"].update_many({"locale": None}, {"$set": {"locale": "en"}})
