"""Units of work that must not run beside each other, although they write different documents.

What a transaction only reads may change before it commits: two that each read what the other writes could both
commit. Units of work that record an event in one stream meet at the stream's counter anyway, and the later one is run
again; others that must see each other hold a name.
"""

from mongoengine import Document, IntField, StringField


class Lock(Document):
    """A name that units of work hold, by writing it in their transaction."""

    meta = {"collection": "locks", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    held = IntField(required=True)


def hold(name: str) -> None:
    """Let one of the open units of work that hold `name` commit; MongoDB has the others run again from the start."""
    Lock._get_collection().update_one({"_id": name}, {"$inc": {"held": 1}}, upsert=True)


def drop(name: str) -> None:
    """Delete a name that nothing will hold any more."""
    Lock._get_collection().delete_one({"_id": name})
