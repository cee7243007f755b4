"""What an account holds, and what ends of it when the account is recovered.

Whoever registers an address need not own it, and whoever knew a password may have lost the account since. So a recovery
(a new password by mail or by an operator) ends what an earlier holder may have left behind. The list of all that an
account holds is in `features/accounts/holdings.py`, and plugins contribute theirs: this feature knows none of them.

An account may hold a hundred thousand share links. So a recovery is a small transaction, which sets `recovered_at` of
the account and ends MAX_STEP documents of each collection, and as many more steps by a listener as it takes. What gives
others a way in asks `service.stands_for`, so that all of it is closed from the first transaction on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import iso
from taskmanager.core.registry import Part
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.users.models import User

MAX_STEP = 200  # documents of one collection that one transaction ends


@dataclass(frozen=True)
class Recovery:
    """The recovery of an account.

    `at` is when it began: what was made or changed later is the owner's. `proved_at` is when the present address was
    proved before, None when it never was: what is older was made by an earlier holder.
    """

    user: User
    at: datetime
    proved_at: datetime | None

    def is_of_earlier_holder(self, made_at: datetime | None) -> bool:
        """Return whether something was made before the present address was proved, or is not finished at all."""
        return made_at is None or self.proved_at is None or made_at < self.proved_at

    def of_earlier_holder(self, found: Any) -> Any:
        """Return those of some documents that were made before the present address was proved."""
        return found if self.proved_at is None else found.filter(created_at__lt=self.proved_at)

    def of_owner(self, found: Any) -> Any:
        """Return the others."""
        return found.none() if self.proved_at is None else found.filter(created_at__gte=self.proved_at)


# Ends what an account has of one collection, or MAX_STEP documents of it, and returns how many there were to end.
Ender = Callable[[Recovery], int]


@dataclass(frozen=True)
class Holding:
    """Documents that name an account in `field`. `end` is None for what stays; `why` says the reason of either.

    `stepwise`: there may be many, and `end` ends MAX_STEP of them, of what was there when the recovery began.
    """

    model: Any
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
    """End what a recovery ends, MAX_STEP documents of what there may be many of; call it in its transaction.

    Return how many there were to end: {collection: number of documents}.
    """
    ended = {one.collection: one.end(recovery) for one in ACCOUNT_HOLDINGS.values() if one.end}
    return {name: number for name, number in ended.items() if number}


def unfinished(recovery: Recovery, ended: dict[str, int]) -> dict[str, Any] | None:
    """Return what `finish` needs when one step was not enough, as an event keeps it; None when it was."""
    if not any(one.stepwise and ended.get(one.collection, 0) > MAX_STEP for one in ACCOUNT_HOLDINGS.values()):
        return None
    return {"at": iso(recovery.at), "proved_at": recovery.proved_at and iso(recovery.proved_at)}


def finish(user_id: ObjectId, data: dict[str, Any]) -> None:
    """End the rest, MAX_STEP documents of a collection in each transaction. Safe to repeat."""
    proved_at = data["proved_at"] and datetime.fromisoformat(data["proved_at"])
    recovery = Recovery(User.objects.one(user_id), datetime.fromisoformat(data["at"]), proved_at)
    for end in [one.end for one in ACCOUNT_HOLDINGS.values() if one.end and one.stepwise]:
        while end(recovery) > MAX_STEP:
            pass
