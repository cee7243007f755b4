"""What each project role may do, as a table. A role may do what stands at it and all that stands below it."""

from typing import Any

from taskmanager.core.access import Actor
from taskmanager.core.permissions import Action

ROLES = ("viewer", "commenter", "member", "manager", "owner")  # from least to most


class ProjectAction(Action):
    """Named permissions on a project and its members."""

    READ = "project:read"
    EDIT = "project:edit"
    DELETE = "project:delete"
    LEAVE = "project:leave"
    MANAGE_MEMBERS = "members:manage"

    def permits(self, actor: Actor, item: Any) -> bool:
        return at_least(_LEAST[self], actor.role_in(item.project_id))


_LEAST = {
    ProjectAction.READ: "viewer",
    ProjectAction.LEAVE: "viewer",
    ProjectAction.EDIT: "manager",
    ProjectAction.MANAGE_MEMBERS: "manager",
    ProjectAction.DELETE: "owner",
}


def at_least(least: str, role: str | None) -> bool:
    """Whether `role` is `least` or more; a stranger (None) is less than everything."""
    return role is not None and ROLES.index(role) >= ROLES.index(least)
