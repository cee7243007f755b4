"""Version 1 of the API. The features contribute its blueprints; this module defines their order in the document."""

from collections.abc import Iterable

from taskmanager.api.version import ApiVersion
from taskmanager.web.blueprint import Blueprint

# Names of blueprints. Those that are not in this list come after these.
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
    "sync",
)


def version(blueprints: Iterable[Blueprint]) -> ApiVersion:
    """Return version 1 with these blueprints."""
    in_order = sorted(blueprints, key=lambda blueprint: _chapter(blueprint.name))
    return ApiVersion("v1", in_order, description="Task management: projects, tasks, members, notifications.")


def _chapter(name: str) -> int:
    return CHAPTERS.index(name) if name in CHAPTERS else len(CHAPTERS)
