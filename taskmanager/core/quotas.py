"""Quotas: how much of each kind an account or a project may have. The operator sets them; 0 means no limit.

A use case counts in the transaction that adds. Two transactions that add to one account or project conflict, because
both write one document (the counter of its event stream, or the account's rights): MongoDB runs the later one again,
and it counts what the earlier one added.
"""

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict
from taskmanager.core.storage.querysets import BaseQuerySet

# {name of the quota, and of its setting after `quota_`: the sentence of the error}
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
    """Return the limit of a quota; 0 means none."""
    return int(getattr(settings.current(), f"quota_{name}"))


def described(used: dict[str, int]) -> dict[str, dict[str, int | None]]:
    """Return all quotas: {name: {limit, used}}.

    A `limit` of None means no limit; `used` is None for a quota that is counted for each project separately.
    """
    return {name: {"limit": limit(name) or None, "used": used.get(name)} for name in QUOTAS}


def check(name: str, used: int) -> None:
    """Raise Conflict (`quota.<name>`) when `used`, which includes what is being added, exceeds the limit."""
    if limit(name) and used > limit(name):
        raise Conflict(QUOTAS[name].format(limit=limit(name)), code=f"quota.{name}", limit=limit(name))


def check_room(name: str, found: BaseQuerySet) -> None:
    """Raise Conflict (`quota.<name>`) unless one more may be added to `found`; counts at most up to the limit."""
    if limit(name):
        check(name, found.count_up_to(limit(name)) + 1)
