"""Match events with the filters of webhooks, in a bounded number of queries for any number of webhooks."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import structlog
from bson import ObjectId

from taskmanager.core import zones
from taskmanager.core.events.log import Event, project_of
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor
from taskmanager.features.projects import service as projects
from taskmanager.features.tasks import listing as tasks
from taskmanager.features.tasks.filtering import stored as stored_filters
from taskmanager.features.tasks.filtering.names import FilterRequest
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.kinds import KINDS
from taskmanager.features.webhooks.models import Webhook

log = structlog.get_logger("taskmanager.webhooks")


class _Owner(NamedTuple):
    """The owner of a webhook: `me` in its filter. `active`: the account is not disabled."""

    actor: Actor
    active: bool


def matching(webhooks: Sequence[Webhook], event: Event) -> list[Webhook]:
    """Return the webhooks without a filter, and those whose filter matches the task of the event.

    Events of other subjects, and those of deleted tasks, match no filter. Raises TooMany, Unavailable.
    """
    matched = _matched([webhook for webhook in webhooks if webhook.filter], event)
    return [webhook for webhook in webhooks if not webhook.filter or webhook.id in matched]


def scope(project_id: ObjectId | None, actor: Actor) -> list[ObjectId]:
    """Return the projects in which the names of a webhook's filter are looked up."""
    return [project_id] if project_id else list(actor.project_roles)


def _matched(webhooks: Sequence[Webhook], event: Event) -> set[ObjectId]:
    if not webhooks or not KINDS[event.kind].of_task:
        return set()
    project_id = project_of(event)
    owners = _owners({webhook.owner_id for webhook in webhooks}, project_id)
    # webhooks of a disabled account get no events, except those that belong to a project
    enabled = [webhook for webhook in webhooks if webhook.project_id or owners[webhook.owner_id].active]
    parsed = {webhook.id: found for webhook in enabled if (found := _parsed(webhook, owners[webhook.owner_id].actor))}
    results = tasks.matches(event.subject_id, project_id, list(parsed.values()))
    for webhook_id, result in zip(parsed, results, strict=True):
        if isinstance(result, FilterError):
            _warn(webhook_id, result)
    return {webhook_id for webhook_id, result in zip(parsed, results, strict=True) if result is True}


def _owners(user_ids: Collection[ObjectId], project_id: ObjectId) -> dict[ObjectId, _Owner]:
    """Return the owners with their present roles. A former member of the project counts as a viewer."""
    active, zones_of = users.active_user_ids(user_ids), users.timezones(user_ids)
    roles, _ = projects.load_project_roles(user_ids)
    return {
        user_id: _Owner(
            Actor(
                user_id,
                project_roles=_roles(roles.get(user_id, {}) if user_id in active else {}, project_id),
                timezone=zones_of.get(user_id, zones.DEFAULT) if user_id in active else zones.DEFAULT,
            ),
            user_id in active,
        )
        for user_id in user_ids
    }


def _roles(roles: dict[ObjectId, str], project_id: ObjectId) -> dict[ObjectId, str]:
    return roles if project_id in roles else {project_id: "viewer"}


def _parsed(webhook: Webhook, actor: Actor) -> FilterRequest | None:
    """Return the filter of a webhook with its owner as the actor; None for one that cannot be parsed."""
    try:
        given = stored_filters.given(webhook.to_mongo(), "body.filter")
    except FilterError as error:
        _warn(webhook.id, error)
        return None
    return FilterRequest(actor, frozenset(scope(webhook.project_id, actor)), given) if given else None


def _warn(webhook_id: ObjectId, error: FilterError) -> None:
    """Log a filter that is not valid any more, without an error: other webhooks must get their events."""
    log.warning("webhook filter is not valid any more", webhook_id=str(webhook_id), error=str(error))
