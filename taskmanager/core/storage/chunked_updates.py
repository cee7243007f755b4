"""Writes that concern very many documents, little by little: no command is long, and none holds up others."""

from typing import Any

_SIZE = 1000


def update_all(collection: Any, query: dict[str, Any], update: Any) -> int:
    """Update all that match `query`, which they must not do any more afterwards; answers how many.

    Outside of transactions, for writes that are safe to repeat: what fails in between leaves some of it done.
    """
    count = 0
    while found := [row["_id"] for row in collection.find(query, {"_id": 1}).limit(_SIZE)]:
        count += collection.update_many(query | {"_id": {"$in": found}}, update).modified_count
    return count


def delete_some(found: Any, limit: int) -> int:
    """Delete at most `limit` documents of a query set, by their ids in one command. Return how many were found."""
    ids = list(found.limit(limit).scalar("id"))
    if ids:
        found._document._get_collection().delete_many({"_id": {"$in": ids}})
    return len(ids)
