"""Permissions on what is declared for the whole service."""

from typing import Any

from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import Action


class OperationsAction(Action):
    """Named permissions of administrators on the service."""

    DECLARE = "service:declare"

    def permits(self, actor: Actor, item: Any) -> bool:
        """Permit administrators in a session; an API token never has the global role."""
        return actor.role == "admin"
