"""Quotas: how much of each kind an account or a project may have, as the operator sets it; 0 stands for no bound.

A use case counts in the transaction that adds. Two that add in one place meet at a document that both write (the
counter of the project's or account's event stream, the account's rights), and the later one is run again: none counts
what another is just adding.
"""

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict
from taskmanager.core.storage.querysets import BaseQuerySet

# Of each quota, which is also the name of its setting: what has at most so many of what.
QUOTAS = {
    "projects": "An account owns at most {limit:,} projects.",
    "memberships": "An account is a member of at most {limit:,} projects.",
    "members": "A project has at most {limit:,} members.",
    "tasks": "A project has at most {limit:,} tasks, with those in the trash.",
    "project_attachment_bytes": "The attachments of a project have at most {limit:,} bytes.",
    "account_attachment_bytes": "The attachments that an account uploaded have at most {limit:,} bytes.",
    "webhooks": "A project, and an account beside its projects, has at most {limit:,} webhooks.",
    "tokens": "An account has at most {limit:,} tokens: revoke one.",
    "views": "An account has at most {limit:,} views in one place.",
    "custom_fields": "A project has at most {limit:,} custom fields.",
    "labels": "A project has at most {limit:,} labels.",
    "reminders": "An account has at most {limit:,} reminders.",
}


def limit(name: str) -> int:
    """Return how many there may be; 0 for any number."""
    return int(getattr(settings.current(), f"quota_{name}"))


def described(used: dict[str, int]) -> dict[str, dict[str, int | None]]:
    """Return all quotas: {name: {limit, used}}; a limit of None is none, what is counted in each place has no use."""
    return {name: {"limit": limit(name) or None, "used": used.get(name)} for name in QUOTAS}


def check(name: str, used: int) -> None:
    """Raise Conflict (`quota.<name>`) when `used`, with what is being added, is more than there may be."""
    if limit(name) and used > limit(name):
        raise Conflict(QUOTAS[name].format(limit=limit(name)), code=f"quota.{name}", limit=limit(name))


def check_room(name: str, found: BaseQuerySet) -> None:
    """Raise Conflict (`quota.<name>`) unless one more may be added to what is `found`; counts no further than that."""
    if limit(name):
        check(name, found.count_up_to(limit(name)) + 1)
