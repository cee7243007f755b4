"""How many mails an hour an address gets, whoever asks for them: counted where they leave, in MongoDB.

Each budget is one of its own, so that notices and invitations, which strangers can cause, take nothing from mails that
keep an account safe. `a+x@b` is counted with `a@b`.
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

NOTICE, ACCOUNT = "notice", "account"
# What strangers can cause: an address is registered or asked to be proved, a user is invited, logins fail. It is not
# sent when its budget is spent; all else waits until there is room.
DROPPED = {"claim", "invitation", "warning"}
_HOUR = timedelta(hours=1)


class MailCount(Document):
    """When the latest mails went to one address, by the delivery that caused each."""

    meta = {"collection": "mail_counts", "db_alias": "notifications", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)  # the budget, and a digest of the address
    sent = ListField(DictField())  # {by, at}
    until = DateTimeField()


def spend(address: str, budget: str, delivery_id: ObjectId) -> datetime | None:
    """Count a mail, once however often its delivery is tried; return None, or when there is room again.

    One atomic update: of two workers that ask for the last place one gets it.
    """
    moment, most = now(), _most(budget)
    known = {"$filter": {"input": {"$ifNull": ["$sent", []]}, "cond": {"$gt": ["$$this.at", moment - _HOUR]}}}
    full = {"$or": [{"$in": [delivery_id, "$sent.by"]}, {"$gte": [{"$size": "$sent"}, most]}]}
    place = [{"by": delivery_id, "at": moment}]
    update = [
        {"$set": {"sent": known}},
        {"$set": {"sent": {"$cond": [full, "$sent", {"$concatArrays": ["$sent", place]}]}, "until": moment + _HOUR}},
    ]
    sent = _updated(f"{budget}:{_digest(address)}", update)["sent"]
    if any(mail["by"] == delivery_id for mail in sent):
        return None
    return min(mail["at"] for mail in sent) + _HOUR


def _updated(name: str, update: list[dict[str, Any]]) -> Any:
    collection = MailCount._get_collection()
    how = {"upsert": True, "return_document": ReturnDocument.AFTER}
    try:
        return collection.find_one_and_update({"_id": name}, update, **how)
    except DuplicateKeyError:  # another worker made it at this moment
        return collection.find_one_and_update({"_id": name}, update, **how)


def _most(budget: str) -> int:
    chosen = settings.current()
    return {NOTICE: chosen.mail_notices_hourly, ACCOUNT: chosen.mail_account_hourly}.get(
        budget, chosen.mail_unasked_hourly
    )


def _digest(address: str) -> str:
    local, _, host = address.lower().rpartition("@")
    return blake2b(f"{local.split('+')[0] or local}@{host}".encode(), digest_size=16).hexdigest()
