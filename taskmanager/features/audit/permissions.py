"""Permissions on the audit log."""

from typing import Any

from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import Action


class AuditAction(Action):
    """Named permissions on the audit log."""

    READ = "audit:read"

    def permits(self, actor: Actor, item: Any) -> bool:
        """Permit administrators in a session."""
        return actor.role == "admin"
