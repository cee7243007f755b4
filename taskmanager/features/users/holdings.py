"""What an account holds, and what ends of it when the account is recovered.

Whoever registers an address need not own it, and whoever knew a password may have lost the account since. So a recovery
(a new password by mail or by an operator) ends what an earlier holder may have left behind. The list of all that an
account holds is in `features/accounts/holdings.py`; the composition root hands it over, because this feature knows none
of the others.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from taskmanager.features.users.models import User

# Ends what an account has of one collection, and returns how many. It takes the account and the time at which its
# present address was proved, None when it never was: what is older than that was made by an earlier holder.
Ender = Callable[[User, datetime | None], int]


@dataclass(frozen=True)
class Holding:
    """Documents that name an account in `field`. `end` is None for what stays; `why` says the reason of either."""

    model: Any
    field: str
    why: str
    end: Ender | None = None


_holdings: tuple[Holding, ...] = ()


def use(holdings: Iterable[Holding]) -> None:
    """Make these the holdings of accounts in this process."""
    global _holdings
    _holdings = tuple(holdings)


def end_all(user: User, proved_at: datetime | None) -> dict[str, int]:
    """End what a recovery ends; call it in its transaction. Return {collection: number of documents}."""
    ended = {one.model._get_collection_name(): one.end(user, proved_at) for one in _holdings if one.end}
    return {name: number for name, number in ended.items() if number}


def is_of_earlier_holder(made_at: datetime | None, proved_at: datetime | None) -> bool:
    """Return whether something was made before the present address was proved, or is not finished at all."""
    return made_at is None or proved_at is None or made_at < proved_at
