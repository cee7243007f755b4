"""Permissions of the global role admin; every user may change their own account without them."""

from typing import Any

from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import Action


class AdminAction(Action):
    """Named permissions of administrators."""

    MANAGE_USERS = "users:manage"
    MANAGE_SERVICE_ACCOUNTS = "service_accounts:manage"

    def permits(self, actor: Actor, item: Any) -> bool:
        """Permit administrators in a session; an API token never has the global role."""
        return actor.role == "admin"
