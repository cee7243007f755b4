"""The hourly budgets of mails to one address, independent of who causes them; counted in MongoDB before sending.

There are several budgets for each address, so that notices and invitations, which strangers can cause, do not use up
the mails that keep an account safe. `a+x@b` is counted with `a@b`.
"""

from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, DictField, Document, ListField, StringField
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.storage.orders import Row

NOTICE, ACCOUNT = "notice", "account"
# Mails that strangers can cause: confirmations of an address, invitations, warnings of failed logins. When the budget
# is spent these are not sent; all others wait.
DROPPED = {"claim", "invitation", "warning"}
_HOUR = timedelta(hours=1)


class MailCount(Document):
    """The mails of one budget to one address in the last hour: the delivery and the time of each."""

    meta = {"collection": "mail_counts", "db_alias": "notifications", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)  # the budget, and a digest of the address
    sent = ListField(DictField())  # {by, at}
    until = DateTimeField(required=True)


def spend(address: str, budget: str, delivery_id: ObjectId) -> datetime | None:
    """Count a mail, once for all attempts of its delivery. Return None, or when the budget has room again.

    This is one atomic update, so only one of two concurrent workers gets the last place.
    """
    moment, limit = now(), _hourly_limit(budget)
    recent = {"$filter": {"input": {"$ifNull": ["$sent", []]}, "cond": {"$gt": ["$$this.at", moment - _HOUR]}}}
    unchanged = {"$or": [{"$in": [delivery_id, "$sent.by"]}, {"$gte": [{"$size": "$sent"}, limit]}]}
    added = [{"by": delivery_id, "at": moment}]
    update: list[dict[str, Any]] = [
        {"$set": {"sent": recent}},
        {
            "$set": {
                "sent": {"$cond": [unchanged, "$sent", {"$concatArrays": ["$sent", added]}]},
                "until": moment + _HOUR,
            }
        },
    ]
    sent = _updated(f"{budget}:{_digest(address)}", update)["sent"]
    if any(mail["by"] == delivery_id for mail in sent):
        return None
    return min(mail["at"] for mail in sent) + _HOUR


def _updated(key: str, update: list[dict[str, Any]]) -> Row:
    """Apply the update to the counter of this key, which is inserted when it does not exist; return it."""
    collection = MailCount._get_collection()
    options = {"upsert": True, "return_document": ReturnDocument.AFTER}
    try:
        return collection.find_one_and_update({"_id": key}, update, **options)
    except DuplicateKeyError:  # another worker inserted it at the same time
        return collection.find_one_and_update({"_id": key}, update, **options)


def _hourly_limit(budget: str) -> int:
    chosen = settings.current()
    return {NOTICE: chosen.mail_notices_hourly, ACCOUNT: chosen.mail_account_hourly}.get(
        budget, chosen.mail_unasked_hourly
    )


def _digest(address: str) -> str:
    local, _, host = address.lower().rpartition("@")
    return blake2b(f"{local.split('+')[0] or local}@{host}".encode(), digest_size=16).hexdigest()
