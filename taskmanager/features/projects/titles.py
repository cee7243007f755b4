"""What people call roles and priorities, in the language of the present context."""

from taskmanager.core.localization.languages import gettext, marked

_ROLES = {
    "owner": marked("Owner"),
    "manager": marked("Manager"),
    "member": marked("Member"),
    "commenter": marked("Commenter"),
    "viewer": marked("Viewer"),
}
_PRIORITIES = {
    "none": marked("None"),
    "low": marked("Low"),
    "medium": marked("Medium"),
    "high": marked("High"),
    "urgent": marked("Urgent"),
}


def of_role(role: str) -> str:
    """Return the name of a role."""
    return gettext(_ROLES[role])


def of_priority(priority: str) -> str:
    """Return the name of a priority."""
    return gettext(_PRIORITIES[priority])
