"""Quotas: how much of each kind an account or a project may have. The operator sets them, and
exceptions for single accounts and projects; 0 means no limit.

A use case counts in the transaction that adds. Two transactions that add to one account or project conflict, because
both write one document (the counter of its event stream, or the account's rights): MongoDB runs the later one again,
and it counts what the earlier one added.
"""

from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.configuration.limit_settings import quota_exceptions
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


def limit(name: str, of: ObjectId | None = None) -> int:
    """Return the limit of a quota, for an account or a project when it has one of its own; 0 means none."""
    chosen = settings.current()
    default = int(getattr(chosen, f"quota_{name}"))
    return quota_exceptions(chosen.quota_exceptions).get((str(of), name), default) if of else default


def described(used: dict[str, int], of: ObjectId) -> dict[str, dict[str, int | None]]:
    """Return all quotas of an account: {name: {limit, used}}.

    A `limit` of None means no limit; `used` is None for a quota that is counted for each project separately.
    """
    return {name: {"limit": limit(name, of) or None, "used": used.get(name)} for name in QUOTAS}


def check(name: str, used: int, of: ObjectId) -> None:
    """Raise Conflict (`quota.<name>`) when `used`, which includes what is being added, exceeds the limit.

    `of` is the account or project that the quota counts.
    """
    most = limit(name, of)
    if most and used > most:
        raise Conflict(QUOTAS[name].format(limit=most), code=f"quota.{name}", limit=most)


def check_room(name: str, found: BaseQuerySet, of: ObjectId) -> None:
    """Raise Conflict (`quota.<name>`) unless one more may be added to `found`; counts at most up to the limit."""
    most = limit(name, of)
    if most:
        check(name, found.count_up_to(most) + 1, of)
