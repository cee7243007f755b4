"""Indexes of saved views and of searches; the words of titles, and since when tasks are closed."""

import re
import unicodedata
from typing import Any

from pymongo import ASCENDING, TEXT, IndexModel, UpdateOne
from pymongo.database import Database

_ALIVE = {"deleted_at": None}
_BATCH = 1000
INDEXES = [
    # no language: stemming and stop words of one would hide what people write in another
    IndexModel(
        [("title", TEXT), ("description", TEXT)],
        name="text",
        weights={"title": 10, "description": 2},
        default_language="none",
        language_override="no_such_field",
        partialFilterExpression=_ALIVE,
    ),
    IndexModel(
        [("project_id", ASCENDING), ("words", ASCENDING)], name="project_id_words", partialFilterExpression=_ALIVE
    ),
]


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in what is missing and create the indexes; what is there already is left alone."""
    database["tasks"].update_many(
        {"status_group": {"$in": ["done", "cancelled"]}, "closed_at": {"$exists": False}},
        [{"$set": {"closed_at": {"$ifNull": ["$completed_at", "$updated_at"]}}}],
    )
    _fill_words(database["tasks"])
    database["tasks"].create_indexes(INDEXES)
    database["views"].create_indexes(
        [
            IndexModel(
                [(name, ASCENDING) for name in ("project_id", "owner_id", "_id")], name="project_id_owner_id__id"
            ),
            IndexModel([("owner_id", ASCENDING)], name="owner_id"),
        ]
    )


def _fill_words(tasks: Any) -> None:
    updates = []
    for row in tasks.find({"words": {"$exists": False}}, {"title": 1}):
        updates.append(UpdateOne({"_id": row["_id"]}, {"$set": {"words": _words_of(row["title"])}}))
        if len(updates) == _BATCH:
            tasks.bulk_write(updates)
            updates = []
    if updates:
        tasks.bulk_write(updates)


def _words_of(text: str) -> list[str]:
    found = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return [word[:40] for word in dict.fromkeys(found)][:40]
