"""What a recovery of an account ends is found by indexes; changes of address that wait are asked about again.

Until now a change counted as confirmed by an old address that was not proved when the change was asked for, also when
it was proved afterwards. What is stored does not tell that from a real confirmation, so those are dropped: the old
address of such a change is asked (again) when the new one confirms.
"""

from typing import Any

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

INDEXES = {
    "share_links": [("created_by", ASCENDING)],
    "invitations": [("invited_by", ASCENDING), ("state", ASCENDING)],
}


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Make the indexes, and drop confirmations by old addresses alone; safe to repeat."""
    for collection, keys in INDEXES.items():
        name = "_".join(field for field, _ in keys)
        database[collection].create_indexes([IndexModel(keys, name=name)])
    waiting = {"new_email": {"$exists": True}, "new_email_confirmed": ["old"]}
    database["users"].update_many(waiting, {"$set": {"new_email_confirmed": []}, "$inc": {"revision": 1}})
