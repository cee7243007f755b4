"""Permissions of the project roles. A role has its own permissions and those of all lower roles."""

from typing import Any, Self

from taskmanager.core.errors import Conflict
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import PERMISSIONS, Action

ROLES = ("viewer", "commenter", "member", "manager", "owner")  # from lowest to highest

LINK_ROLES = ("viewer", "commenter")  # the roles of share links, whose visitors have no account


class RoleAction(Action):
    """Named permissions of project roles: each has a name and the lowest role that has it.

    In an archived project, only actions with `in_archive` are permitted.
    """

    least: str
    in_archive: bool

    def __new__(cls, name: str, least: str, in_archive: bool = False) -> Self:
        action = str.__new__(cls, name)
        action._value_, action.least, action.in_archive = name, least, in_archive
        return action

    def permits(self, actor: Actor, item: Any) -> bool:
        return self.allows(actor.role_in(item.project_id))

    def check(self, actor: Actor, item: Any) -> None:
        if item.project_id in actor.archived and not self.in_archive:
            raise Conflict("The project is archived: it is read-only.", code="project.archived")

    def allows(self, role: str | None) -> bool:
        """Return whether a role has this permission; None, for users that are not members, has none."""
        return at_least(self.least, role)


class ProjectAction(RoleAction):
    """Permissions on a project and its members."""

    READ = "project:read", "viewer", True
    COPY = "project:copy", "viewer", True
    LEAVE = "project:leave", "viewer", True
    MANAGE_LABELS = "labels:manage", "member"
    EDIT = "project:edit", "manager"
    ARCHIVE = "project:archive", "manager", True
    MANAGE_MEMBERS = "members:manage", "manager", True
    MANAGE_LINKS = "links:manage", "manager", True
    DELETE = "project:delete", "owner", True
    RESTORE = "project:restore", "owner", True  # other members cannot see deleted projects
    PURGE = "project:purge", "owner", True
    TRANSFER = "project:transfer", "owner", True


def at_least(least: str, role: str | None) -> bool:
    """Return whether `role` is `least` or higher; None, for users that are not members, is lower than all roles."""
    return role is not None and ROLES.index(role) >= ROLES.index(least)


def granted(role: str) -> list[str]:
    """Return the names of all permissions of a role, in all features and plugins, sorted."""
    tables = (table for table in PERMISSIONS.values() if issubclass(table, RoleAction))
    actions = (action for table in tables for action in table)
    return sorted(action.value for action in actions if at_least(action.least, role))
