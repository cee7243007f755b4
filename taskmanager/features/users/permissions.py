"""What the global role admin may do, beside what every user may do to their own account."""

from typing import Any

from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import Action


class AdminAction(Action):
    """Named permissions of administrators."""

    MANAGE_USERS = "users:manage"
    MANAGE_SERVICE_ACCOUNTS = "service_accounts:manage"

    def permits(self, actor: Actor, item: Any) -> bool:
        """Return only administrators, in a session: an API token never has the global role."""
        return actor.role == "admin"
