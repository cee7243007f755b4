"""Descriptions are searched by tokens, in an index that begins with the project, and no more by the text index.

That one held the words of all tenants: a word that was common among others made a search slow for everybody.
"""

from typing import Any

from pymongo.database import Database

from migrations.scripts import m202611270009_search_tokens as tokens

_REPLACED = "text"


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Write all tokens of descriptions, in batches, then drop the text index; safe to run twice."""
    tokens.upgrade(database)
    if _REPLACED in database["tasks"].index_information():
        database["tasks"].drop_index(_REPLACED)
