"""The groups of operations in the document, in the order in which a developer needs them."""

from collections.abc import Iterable
from dataclasses import dataclass

from taskmanager.web.blueprint import Blueprint
from taskmanager.web.openapi.components import Json


@dataclass(frozen=True)
class Group:
    """A group: the routes of these blueprints, in this order, and single operations of others."""

    name: str
    description: str
    blueprints: tuple[str, ...]
    operations: tuple[str, ...] = ()


PLUGINS = Group("Plugins", "What the operator has installed beside the service, below `/x/<name of the plugin>`.", ())
GROUPS = (
    Group(
        "Start here",
        "What the service is, an account, and the first token. Then make a project and its first task.",
        ("information",),
        ("register_user", "log_in"),
    ),
    Group(
        "Sign in",
        "Tokens and sessions: refresh and end them, the second factor, a login provider, confirmed addresses and"
        " forgotten passwords.",
        ("auth", "second_step", "oidc", "recovery"),
    ),
    Group(
        "Account",
        "Your account: profile, password, sessions, API tokens for programs, service accounts, export and deletion.",
        ("users", "account", "accounts", "totp", "tokens", "service_accounts"),
    ),
    Group(
        "Projects",
        "Projects with their members, labels, custom fields and workflow; archive, copies and trash.",
        ("projects", "ownership", "labels", "custom fields", "statuses", "copies", "project-trash"),
    ),
    Group(
        "Tasks",
        "Tasks: create, change, complete, order, move, repeat and relate them; many at once; the trash.",
        ("tasks", "quick add", "bulk", "relations", "reminders", "arranging", "trash"),
    ),
    Group(
        "Collaboration",
        "Comments, files, activity, invitations and share links.",
        ("comments", "attachments", "activity", "invitations", "my_invitations", "share_links", "visits"),
    ),
    Group(
        "Views and search",
        "Saved filters, search, facets and statistics; calendars of tasks to subscribe to.",
        ("views", "insights", "calendars"),
    ),
    Group(
        "Sync and live",
        "Copies for clients that work offline, and changes as they happen.",
        ("sync", "writes", "stream"),
    ),
    Group("Notifications", "What happened, on which channel, and when not.", ("notifications", "phone")),
    Group("Webhooks", "Events sent to your own server, signed, with a log and replay.", ("webhooks",)),
    Group(
        "Administration",
        "For administrators: accounts, the audit log, maintenance and the message of the day.",
        ("administration", "audit", "operations"),
    ),
    PLUGINS,
)
_GROUP_OF = {name: group for group in GROUPS for name in group.blueprints}
_ORDER = list(_GROUP_OF)


def in_order(blueprints: Iterable[Blueprint]) -> list[Blueprint]:
    """Return the blueprints in the order of the groups; those of no group come last."""
    return sorted(blueprints, key=lambda one: _ORDER.index(one.name) if one.name in _GROUP_OF else len(_ORDER))


def add_groups(document: Json) -> None:
    """Replace the tags of the document, which are names of blueprints, by the groups."""
    single = {operation: group for group in GROUPS for operation in group.operations}
    used = set()
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                name = operation["tags"][0]
                group = PLUGINS if "/x/" in path else single.get(operation["operationId"]) or _GROUP_OF.get(name)
                operation["tags"] = [group.name if group else name]
                used.add(operation["tags"][0])
    document["tags"] = [
        *({"name": group.name, "description": group.description} for group in GROUPS if group.name in used),
        *(tag for tag in document["tags"] if tag["name"] in used),
    ]
