"""Which webhooks an event is for, by their filters: a bounded number of queries, however many webhooks there are."""

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
from taskmanager.features.tasks.filtering.names import Asked
from taskmanager.features.users import service as users
from taskmanager.features.webhooks.kinds import KINDS
from taskmanager.features.webhooks.models import Webhook

log = structlog.get_logger("taskmanager.webhooks")


class _Owner(NamedTuple):
    """The owner of a webhook, who is `me` in its filter; `active`: the account is not disabled."""

    actor: Actor
    active: bool


def holding(webhooks: Sequence[Webhook], event: Event) -> list[Webhook]:
    """Return those without a filter, and those whose filter holds for the task that the event is about.

    A filter lets nothing but tasks through. What is deleted matches no filter. Raises TooMany, Unavailable.
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
    # an account is disabled: its own webhooks are silent, those of a project are the project's
    heard = [webhook for webhook in webhooks if webhook.project_id or owners[webhook.owner_id].active]
    asked = {webhook.id: found for webhook in heard if (found := _asked(webhook, owners[webhook.owner_id].actor))}
    answers = tasks.that_match(event.subject_id, project_id, list(asked.values()))
    for webhook_id, answer in zip(asked, answers, strict=True):
        if isinstance(answer, FilterError):
            _warn(webhook_id, answer)
    return {webhook_id for webhook_id, answer in zip(asked, answers, strict=True) if answer is True}


def _owners(user_ids: Collection[ObjectId], project_id: ObjectId) -> dict[ObjectId, _Owner]:
    """Return the owners as they are now. One who is not in the project any more looks at it as a viewer does."""
    active, roles, zones_of = users.active_user_ids(user_ids), projects.roles_of(user_ids), users.timezones(user_ids)
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


def _asked(webhook: Webhook, actor: Actor) -> Asked | None:
    """Return the filter of a webhook as its owner asks it; None for one that cannot be read."""
    try:
        given = stored_filters.given(webhook.to_mongo(), "body.filter")
    except FilterError as error:
        _warn(webhook.id, error)
        return None
    return given and Asked(actor, frozenset(scope(webhook.project_id, actor)), given)


def _warn(webhook_id: ObjectId, error: FilterError) -> None:
    """Log that a filter which was good when it was given is not any more: the others must not suffer from it."""
    log.warning("a webhook's filter is not understood any more", webhook_id=str(webhook_id), error=str(error))
