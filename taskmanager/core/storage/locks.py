"""Locks for units of work that must not run concurrently, although they write different documents.

A document that a transaction only reads may change before it commits, so two transactions that each read what the
other writes could both commit (write skew). Units of work that record an event in one stream conflict at the stream's
counter, and MongoDB runs the later one again; others that must not run concurrently hold a name.
"""

from mongoengine import Document, IntField, StringField


class Lock(Document):
    """A name that a unit of work holds by writing it in its transaction."""

    meta = {"collection": "locks", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    held = IntField(required=True)


def hold(name: str) -> None:
    """Hold `name` until the commit: of concurrent units of work one commits, and MongoDB runs the others again."""
    Lock._get_collection().update_one({"_id": name}, {"$inc": {"held": 1}}, upsert=True)


def drop(name: str) -> None:
    """Delete a name that no unit of work will hold any more."""
    Lock._get_collection().delete_one({"_id": name})
