"""The holdings of an account (documents that refer to it), and how they end when the account is recovered.

A user can register an address without owning it, and a former holder may still know the password. So a recovery (a new
password by mail or by an operator) ends the holdings that an earlier holder may have set up. The list of holdings is in
`features/accounts/holdings.py`, and plugins contribute theirs: this feature knows none of them.

An account may hold a hundred thousand share links. So a recovery is a small transaction, which sets `recovered_at` of
the account and ends MAX_STEP documents of each collection; a listener does the remaining steps. Everything that gives
other people access checks `service.stands_for`, so all of it is closed after the first transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine import Document

from taskmanager.core.clock import iso
from taskmanager.core.registry import Part
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users.models import User

MAX_STEP = 200  # documents of one collection that are ended in one transaction


@dataclass(frozen=True)
class Recovery:
    """The recovery of an account.

    `at` is when it began: documents made or changed later are the owner's. `proved_at` is when the present address was
    confirmed, None if it was not before the recovery: older documents are those of an earlier holder.
    """

    user: User
    at: datetime
    proved_at: datetime | None

    def is_of_earlier_holder(self, made_at: datetime | None) -> bool:
        """Return whether a document was made before the present address was confirmed; None: it was not finished."""
        return made_at is None or self.proved_at is None or made_at < self.proved_at

    def of_earlier_holder(self, found: BaseQuerySet) -> BaseQuerySet:
        """Return the documents of `found` that were made before the present address was confirmed."""
        return found if self.proved_at is None else found.filter(created_at__lt=self.proved_at)

    def of_owner(self, found: BaseQuerySet) -> BaseQuerySet:
        """Return the documents of `found` that were made after the present address was confirmed."""
        return found.none() if self.proved_at is None else found.filter(created_at__gte=self.proved_at)


# Ends the holdings of an account in one collection, or MAX_STEP of them; returns how many there were to end.
Ender = Callable[[Recovery], int]


@dataclass(frozen=True)
class Holding:
    """Documents that refer to an account in `field`. `end` is None for documents that stay; `why` is the reason.

    `stepwise`: there may be many; `end` ends MAX_STEP of those that existed when the recovery began.
    """

    model: type[Document]
    field: str
    why: str
    end: Ender | None = None
    stepwise: bool = False

    @property
    def name(self) -> str:
        """Return the collection and the field."""
        return f"{self.collection}.{self.field}"

    @property
    def collection(self) -> str:
        """Return the name of the collection."""
        return str(self.model._get_collection_name())


ACCOUNT_HOLDINGS: Part[Holding] = Part("account_holdings")


@unit_of_work
def end_all(recovery: Recovery) -> dict[str, int]:
    """Do the first step of a recovery, in its transaction: end all holdings, at most MAX_STEP of stepwise ones.

    Return how many there were to end: {collection: number of documents}.
    """
    ended = {holding.collection: holding.end(recovery) for holding in ACCOUNT_HOLDINGS.values() if holding.end}
    return {name: number for name, number in ended.items() if number}


def unfinished(recovery: Recovery, ended: dict[str, int]) -> dict[str, Any] | None:
    """Return the argument of `finish`, to store in the event, when one step was not enough; None when it was.

    {at, proved_at}, times as ISO 8601.
    """
    stepwise = (holding for holding in ACCOUNT_HOLDINGS.values() if holding.stepwise)
    if not any(ended.get(holding.collection, 0) > MAX_STEP for holding in stepwise):
        return None
    return {"at": iso(recovery.at), "proved_at": recovery.proved_at and iso(recovery.proved_at)}


def finish(user_id: ObjectId, data: dict[str, Any]) -> None:
    """End the remaining stepwise holdings, MAX_STEP documents of a collection in each transaction. Safe to repeat."""
    proved_at = data["proved_at"] and datetime.fromisoformat(data["proved_at"])
    recovery = Recovery(User.objects.one(user_id), datetime.fromisoformat(data["at"]), proved_at)
    for end in [holding.end for holding in ACCOUNT_HOLDINGS.values() if holding.end and holding.stepwise]:
        while end(recovery) > MAX_STEP:
            pass
