"""One-time tokens are found by what they are about.

The index began with the purpose, so to end all tokens of an account, at its recovery or deletion, read those of all
accounts.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

_REPLACED = "purpose_subject_id"


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Create the index, then drop the one that it replaces; what is done already is left alone."""
    tokens = database["one_time_tokens"]
    tokens.create_indexes([IndexModel([("subject_id", ASCENDING), ("purpose", ASCENDING)], name="subject_id_purpose")])
    if _REPLACED in tokens.index_information():
        tokens.drop_index(_REPLACED)
