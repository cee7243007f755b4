"""Permission checks: whether an actor may do something to an item.

Each feature has an enumeration of actions with a table of rules. What an actor may *see* is decided by the QuerySet
method `visible_to`: an item that is not visible is 404, and only a visible item can be 403.
"""

from enum import StrEnum
from typing import Any

from taskmanager.core.errors import Conflict, Forbidden
from taskmanager.core.registry import Part
from taskmanager.core.security.access import Actor


class Action(StrEnum):
    """Base of a feature's named permissions; `permits` reads the feature's table."""

    def permits(self, actor: Actor, item: Any) -> bool:
        raise NotImplementedError

    def check(self, actor: Actor, item: Any) -> None:
        """Raise Conflict when the state of what the item belongs to does not allow this, whatever the role."""


PERMISSIONS: Part[type[Action]] = Part("permissions")


def authorize(actor: Actor, action: Action, item: Any) -> None:
    """Raise Forbidden, with the name of the missing permission, unless `actor` may do `action` to `item`.

    Raises Conflict when the actor may do it, but the present state does not allow it.
    """
    if not action.permits(actor, item):
        raise Forbidden(f"Your role does not allow {action.value}.", permission=action.value)
    action.check(actor, item)


def may(actor: Actor, action: Action, item: Any) -> bool:
    """Return whether `authorize` lets it pass: for what is shown, not in the place of the check."""
    try:
        authorize(actor, action, item)
    except (Forbidden, Conflict):
        return False
    return True
