"""Lockout after failed logins: counted per account and address in MongoDB, so that it works without the cache store.

Too many failures for one account from one address (IPv6: from one /64) lock the account for that address for a while.
Failures from many addresses lock the account for all addresses but those that it has logged in from before. A password
reset lifts every lock, so users are not locked out for long. Unknown accounts are counted in the same way.
"""

import hashlib
from datetime import timedelta
from typing import cast

from bson import ObjectId
from mongoengine import DateTimeField, Document, IntField, StringField
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import TooMany
from taskmanager.core.security.networks import network_of
from taskmanager.core.storage.orders import Row
from taskmanager.features.users.models import Session, User

_ANYWHERE = "anywhere"
NO_ACCOUNT = ObjectId("0" * 24)  # the id of no account
_ACCOUNT_FACTOR = 5  # times `lockout_failures`: the failures that lock the account for new addresses


class LoginFailures(Document):
    """The number of failed logins for one account, from one address or from all, since the first of them."""

    meta = {"collection": "login_failures", "db_alias": "users", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)
    account = StringField(required=True)  # a hash: users may have typed anything
    failures = IntField(required=True)
    expires_at = DateTimeField(required=True)  # then the count restarts


def ids(email: str, address: str) -> list[str]:
    """Return the ids of the counts that matter for a login: of the account from this address, and from all."""
    return [_id(email, address), _id(email)]


def check(found: dict[str, Row], email: str, address: str, user: User | None) -> None:
    """Raise TooMany (`auth.locked`) while logins for this account from this address are locked.

    `found` are the stored counts by their `ids`. An unknown account needs the same queries.
    """
    max_failures = settings.current().lockout_failures
    here, anywhere = found.get(_id(email, address)), found.get(_id(email))
    if here and here["failures"] >= max_failures:
        _refuse(here)
    if anywhere and anywhere["failures"] >= max_failures * _ACCOUNT_FACTOR and not _has_logged_in_from(user, address):
        _refuse(anywhere)


def count_failure(email: str, address: str) -> bool:
    """Count a failed login. Return whether it is the one that the user is to be notified of."""
    _count(email, _id(email, address))
    return _count(email, _id(email)) == settings.current().lockout_failures


def reset_failures(found: dict[str, Row], email: str, address: str) -> None:
    """Delete the count of failures for this account from this address, if it has one, after a login that succeeded."""
    if _id(email, address) in found:
        _rows().delete_one({"_id": _id(email, address)})


def lift(email: str) -> None:
    """Delete all failures of an account: the user has proved to own its address."""
    _rows().delete_many({"account": _digest(email)})


def _refuse(row: Row) -> None:
    seconds = int((row["expires_at"] - now()).total_seconds())
    if seconds >= 0:
        detail = "Too many logins failed: wait, or reset the password."
        raise TooMany(detail, code="auth.locked", retry_after=max(1, seconds))


def _has_logged_in_from(user: User | None, address: str) -> bool:
    """Return whether the account has a session from this network; sessions of early releases have only an address."""
    same_network = {"$or": [{"network": network_of(address)}, {"address": address}]}
    found = Session.objects(user_id=user.id if user else NO_ACCOUNT, __raw__=same_network)
    return found.limit(1).first() is not None


def _count(email: str, row_id: str) -> int:
    _rows().delete_one({"_id": row_id, "expires_at": {"$lte": now()}})
    try:
        return _raise(email, row_id)
    except DuplicateKeyError:  # another request made the row at the same moment
        return _raise(email, row_id)


def _raise(email: str, row_id: str) -> int:
    first = {"account": _digest(email), "expires_at": now() + timedelta(minutes=settings.current().lockout_minutes)}
    update = {"$inc": {"failures": 1}, "$setOnInsert": first}
    row = _rows().find_one_and_update({"_id": row_id}, update, upsert=True, return_document=ReturnDocument.AFTER)
    return int(cast(Row, row)["failures"])  # an upsert always returns a row


def _id(email: str, address: str = _ANYWHERE) -> str:
    return f"{_digest(email)}:{network_of(address)}"


def _digest(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


def _rows() -> Collection[Row]:
    collection: Collection[Row] = LoginFailures._get_collection()
    return collection
