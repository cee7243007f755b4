"""Version 1 of the API. The features say what is in it; here stands the order in which its document is read."""

from collections.abc import Iterable

from taskmanager.api.version import ApiVersion
from taskmanager.web.blueprint import Blueprint

# Names of blueprints. One that is not here comes after these.
CHAPTERS = (
    "auth",
    "second_step",
    "oidc",
    "recovery",
    "users",
    "account",
    "accounts",
    "totp",
    "tokens",
    "service_accounts",
    "administration",
    "audit",
    "projects",
    "ownership",
    "invitations",
    "my_invitations",
    "share_links",
    "visits",
    "labels",
    "custom fields",
    "statuses",
    "copies",
    "tasks",
    "bulk",
    "quick add",
    "comments",
    "attachments",
    "relations",
    "reminders",
    "arranging",
    "views",
    "insights",
    "trash",
    "project-trash",
    "activity",
    "notifications",
    "phone",
    "webhooks",
)


def version(blueprints: Iterable[Blueprint]) -> ApiVersion:
    """Make version 1 of these blueprints."""
    in_order = sorted(blueprints, key=lambda blueprint: _chapter(blueprint.name))
    return ApiVersion("v1", in_order, description="Task management: projects, tasks, members, notifications.")


def _chapter(name: str) -> int:
    return CHAPTERS.index(name) if name in CHAPTERS else len(CHAPTERS)
