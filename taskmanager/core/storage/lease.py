"""Leases in MongoDB: of several relays or schedulers, one is active and the others stand by."""

import secrets
import time

from mongoengine import DateTimeField, Document, StringField
from pymongo import ReturnDocument

_MAX_MS = 60_000


class LeaseRecord(Document):
    """The holder of a lease, and its expiry."""

    meta = {"collection": "leases", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    holder = StringField(required=True)
    until = DateTimeField(required=True)


class Lease:
    """The right to be the one process that does `name`. It expires when its holder dies.

    Only the clock of the database is used, so machines need not agree on the time. Work under a lease
    must still be safe to do twice: a holder that was suspended for longer than `seconds` does not
    know that it has lost the lease.
    """

    def __init__(self, name: str, seconds: float = 5.0) -> None:
        self.name, self.seconds = name, seconds
        self.holder = secrets.token_hex(8)
        self._renew_at = 0.0

    def hold(self) -> bool:
        """Acquire or renew the lease and return True; return False while another process holds it. Raises PyMongoError.

        Cheap to call often: a held lease is renewed only after a third of its time.
        """
        if time.monotonic() < self._renew_at:
            return True
        asked = time.monotonic()
        held = self._claim() == self.holder
        self._renew_at = asked + self.seconds / 3 if held else 0.0
        return held

    def release(self) -> None:
        """Release the lease, so that another process need not wait for its expiry. Raises PyMongoError."""
        self._renew_at = 0.0
        LeaseRecord._get_collection().delete_one({"_id": self.name, "holder": self.holder})

    def _claim(self) -> str:
        """Write this holder into the record if it is ours or expired; return the present holder."""
        ours = {"$eq": ["$holder", self.holder]}
        # a lease that lasts longer than possible was given by another primary, whose clock was ahead
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
