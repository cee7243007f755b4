"""The HTML of comments, which is stored when they are written: rendering it for each reader was without a bound."""

from typing import Any

from pymongo import UpdateOne
from pymongo.database import Database

from taskmanager.features.comments.markdown import to_html

_BATCH = 200


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Render what has no HTML yet; a text that changes meanwhile is left to who changed it."""
    updates: list[UpdateOne] = []
    for row in database["comments"].find({"html": {"$exists": False}}, {"text": 1}, batch_size=_BATCH):
        place = {"_id": row["_id"], "text": row["text"], "html": {"$exists": False}}
        updates.append(UpdateOne(place, {"$set": {"html": to_html(row["text"])}}))
        if len(updates) == _BATCH:
            database["comments"].bulk_write(updates, ordered=False)
            updates = []
    if updates:
        database["comments"].bulk_write(updates, ordered=False)
