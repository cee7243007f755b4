"""A lease in MongoDB: of several relays or schedulers, one works and the others stand by."""

import secrets
from datetime import timedelta

from mongoengine import DateTimeField, Document, StringField
from pymongo.errors import DuplicateKeyError

from taskmanager.core.clock import now


class LeaseRecord(Document):
    """Who holds a lease, and until when."""

    meta = {"collection": "leases", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    holder = StringField(required=True)
    until = DateTimeField(required=True)


class Lease:
    """The right to be the one process that does `name`. It ends by itself when its holder dies.

    What is done under it must still be harmless when done twice: a holder that was stopped for longer than
    `seconds` does not know that it has lost the lease.
    """

    def __init__(self, name: str, seconds: float = 5.0) -> None:
        self.name, self.seconds = name, seconds
        self.holder = secrets.token_hex(8)

    def hold(self) -> bool:
        """Take or prolong the lease; False while another holds it. Raises PyMongoError."""
        moment = now()
        try:
            LeaseRecord._get_collection().update_one(
                {"_id": self.name, "$or": [{"holder": self.holder}, {"until": {"$lt": moment}}]},
                {"$set": {"holder": self.holder, "until": moment + timedelta(seconds=self.seconds)}},
                upsert=True,
            )
        except DuplicateKeyError:  # the filter found no free lease, so the upsert met the other's
            return False
        return True

    def release(self) -> None:
        """Give the lease back, so that another need not wait for its end."""
        LeaseRecord._get_collection().delete_one({"_id": self.name, "holder": self.holder})
