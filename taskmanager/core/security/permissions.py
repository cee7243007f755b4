"""The permission question: may this actor do this to this item.

Each feature has an enumeration of actions that answers it by a table of rules. What an actor may *see* is
the QuerySet word `visible_to`; so an item that was not found is 404, and only a visible one can be 403.
"""

from enum import StrEnum
from typing import Any

from taskmanager.core.errors import Forbidden
from taskmanager.core.registry import Part
from taskmanager.core.security.access import Actor


class Action(StrEnum):
    """Base of a feature's named permissions; `permits` reads the feature's table."""

    def permits(self, actor: Actor, item: Any) -> bool:
        raise NotImplementedError

    def check(self, actor: Actor, item: Any) -> None:
        """Raise Conflict when what the item belongs to is in a state that does not allow this to anybody."""


PERMISSIONS: Part[type[Action]] = Part("permissions")


def authorize(actor: Actor, action: Action, item: Any) -> None:
    """Raise Forbidden, naming the permission that is missing, unless `actor` may do `action` to `item`.

    Raises Conflict when the actor may, but not now.
    """
    if not action.permits(actor, item):
        raise Forbidden(f"Your role does not allow {action.value}.", permission=action.value)
    action.check(actor, item)
