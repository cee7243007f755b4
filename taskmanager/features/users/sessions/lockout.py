"""Failed logins: counted per account and address, in MongoDB, so that a lock holds with every store away.

Who fails too often for one account from one address (of IPv6: from one /64) is locked out there for a while. An account
that many addresses fail for is locked too, but not for addresses that it has logged in from before, and a password
reset lifts every lock: owners are not locked out of their accounts for long. An unknown account is counted alike.
"""

import hashlib
from datetime import timedelta
from typing import Any

from bson import ObjectId
from mongoengine import DateTimeField, Document, IntField, StringField
from pymongo import ReturnDocument
from pymongo.errors import DuplicateKeyError

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import TooMany
from taskmanager.core.security.networks import network_of
from taskmanager.features.users.models import Session, User

_ANYWHERE = "anywhere"
_NOBODY = ObjectId("0" * 24)  # the id of no account
_ACCOUNT_FACTOR = 5  # so many times the failures of one address lock the account for new addresses


class LoginFailures(Document):
    """How often logins for one account failed, from one address or from anywhere, since the first of them."""

    meta = {"collection": "login_failures", "db_alias": "users", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)
    account = StringField(required=True)  # hashed: what was typed may be anything
    failures = IntField(required=True)
    expires_at = DateTimeField(required=True)  # the count begins anew


def check(email: str, address: str, user: User | None) -> None:
    """Raise TooMany (`auth.locked`) while logins for this account from this address are locked.

    An account that is not there costs the same queries.
    """
    most = settings.current().lockout_failures
    found = {row["_id"]: row for row in _rows().find({"_id": {"$in": [_id(email, address), _id(email)]}})}
    here, anywhere = found.get(_id(email, address)), found.get(_id(email))
    if here and here["failures"] >= most:
        _refuse(here)
    if anywhere and anywhere["failures"] >= most * _ACCOUNT_FACTOR and not _known(user, address):
        _refuse(anywhere)


def failed(email: str, address: str) -> bool:
    """Count a failure; answers whether it is the one after which the owner should hear of it."""
    _count(email, _id(email, address))
    return _count(email, _id(email)) == settings.current().lockout_failures


def succeeded(email: str, address: str) -> None:
    """Read the clock in each member's answer; called by the driver."""
    _rows().delete_one({"_id": _id(email, address)})


def lift(email: str) -> None:
    """Forget all failures of an account: its owner has proved the address."""
    _rows().delete_many({"account": _digest(email)})


def _refuse(row: dict[str, Any]) -> None:
    seconds = int((row["expires_at"] - now()).total_seconds())
    if seconds >= 0:
        detail = "Too many logins failed: wait, or reset the password."
        raise TooMany(detail, code="auth.locked", retry_after=max(1, seconds))


def _known(user: User | None, address: str) -> bool:
    """Return whether the account has logged in from there. A session of before there were networks has its address
    alone.
    """
    places = {"$or": [{"network": network_of(address)}, {"address": address}]}
    found = Session.objects(user_id=user.id if user else _NOBODY, __raw__=places)
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
    return int(row["failures"])


def _id(email: str, address: str = _ANYWHERE) -> str:
    return f"{_digest(email)}:{network_of(address)}"


def _digest(email: str) -> str:
    return hashlib.sha256(email.encode()).hexdigest()


def _rows() -> Any:
    return LoginFailures._get_collection()
