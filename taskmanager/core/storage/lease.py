"""A lease in MongoDB: of several relays or schedulers, one works and the others stand by."""

import secrets
import time

from mongoengine import DateTimeField, Document, StringField
from pymongo import ReturnDocument

_MAX_MS = 60_000


class LeaseRecord(Document):
    """Who holds a lease, and until when."""

    meta = {"collection": "leases", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    holder = StringField(required=True)
    until = DateTimeField(required=True)


class Lease:
    """The right to be the one process that does `name`. It ends by itself when its holder dies.

    Only the clock of the database counts, so machines need not agree on the time. What is done under a lease
    must still be harmless when done twice: a holder that was stopped for longer than `seconds` does not
    know that it has lost it.
    """

    def __init__(self, name: str, seconds: float = 5.0) -> None:
        self.name, self.seconds = name, seconds
        self.holder = secrets.token_hex(8)
        self._renew_at = 0.0

    def hold(self) -> bool:
        """Take or prolong the lease; False while another holds it. Raises PyMongoError.

        Cheap to call often: a lease that is held is prolonged after a third of its time.
        """
        if time.monotonic() < self._renew_at:
            return True
        asked = time.monotonic()
        held = self._claim() == self.holder
        self._renew_at = asked + self.seconds / 3 if held else 0.0
        return held

    def release(self) -> None:
        """Give the lease back, so that another need not wait for its end. Raises PyMongoError."""
        self._renew_at = 0.0
        LeaseRecord._get_collection().delete_one({"_id": self.name, "holder": self.holder})

    def _claim(self) -> str:
        """Write ourselves into the record if it is ours or free; answers who holds the lease now."""
        ours = {"$eq": ["$holder", self.holder]}
        # one that lasts longer than leases do was given by another primary, whose clock was ahead
        longest = {"$add": ["$$NOW", _MAX_MS]}
        until = {"$ifNull": ["$until", "$$NOW"]}
        free = {"$or": [{"$lte": [until, "$$NOW"]}, {"$gt": [until, longest]}]}
        take = {"$or": [ours, free]}
        fields = {"holder": self.holder, "until": {"$add": ["$$NOW", int(self.seconds * 1000)]}}
        record = LeaseRecord._get_collection().find_one_and_update(
            {"_id": self.name},
            [{"$set": {name: {"$cond": [take, new, f"${name}"]} for name, new in fields.items()}}],
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return str(record["holder"])
