"""Tokens of titles and descriptions are made anew, and descriptions get an index of theirs.

Words of scripts that are written without spaces, and emoji, were not found by their parts, nor at all.
"""

from collections.abc import Iterator
from typing import Any

from pymongo import ASCENDING, IndexModel, UpdateOne
from pymongo.database import Database

from taskmanager.core.search_tokens import description_tokens_of, tokens_of

_BATCH = 1000


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index and write the tokens of all tasks, also of those in the trash; safe to run twice."""
    tasks = database["tasks"]
    tasks.create_indexes(
        [
            IndexModel(
                [("project_id", ASCENDING), ("description_tokens", ASCENDING)],
                name="project_id_description_tokens",
                partialFilterExpression={"deleted_at": None, "description_tokens": {"$exists": True}},
            )
        ]
    )
    batch = []
    for update in _updates(tasks):
        batch.append(update)
        if len(batch) == _BATCH:
            tasks.bulk_write(batch, ordered=False)
            batch = []
    if batch:
        tasks.bulk_write(batch, ordered=False)


def _updates(tasks: Any) -> Iterator[UpdateOne]:
    """Compare the title, so that a change meanwhile is not overwritten; what is there already is left alone."""
    for row in tasks.find({}, {"title": 1, "description": 1, "words": 1, "description_tokens": 1}):
        description = row.get("description")
        wanted = {"words": tokens_of(row["title"])}
        if found := description_tokens_of(description):
            wanted["description_tokens"] = found
        changes = {field: tokens for field, tokens in wanted.items() if row.get(field) != tokens}
        if changes:
            same = {"_id": row["_id"], "title": row["title"], "description": description}
            yield UpdateOne(same, {"$set": changes})
