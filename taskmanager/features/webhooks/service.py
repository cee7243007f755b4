"""Use cases of webhooks: URLs to which events are sent."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bson import ObjectId

from taskmanager.core import quotas
from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict, Invalid, NotFound, ScopeMissing
from taskmanager.core.events.log import Event, project_of, record
from taskmanager.core.http.guarded_http import Refused, check
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import outside, unit_of_work
from taskmanager.features.notifications.delivery import service as deliveries
from taskmanager.features.notifications.models import Delivery
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.filtering import stored as stored_filters
from taskmanager.features.webhooks import filters
from taskmanager.features.webhooks.delivery import bodies, payloads, retention, signing
from taskmanager.features.webhooks.delivery.channel import rules
from taskmanager.features.webhooks.events import WebhookCreated, WebhookDeleted, WebhookUpdated
from taskmanager.features.webhooks.kinds import KINDS, TEST, matches
from taskmanager.features.webhooks.models import Webhook
from taskmanager.features.webhooks.permissions import WebhookAction


def visible(project_id: ObjectId | None, actor: Actor) -> Described:
    """Return the webhooks of a project, or the actor's own for all projects, with their filters in present names.

    Raises NotFound, Forbidden, ScopeMissing.
    """
    needed = (*stored_filters.FIELDS_NEEDED, "active", "disabled_at")
    return Described(_manageable(project_id, actor), lambda rows: described(rows, project_id, actor), needed)


def get(webhook_id: ObjectId, *, actor: Actor) -> Row:
    """Return one webhook. Raises NotFound, Forbidden."""
    return _described(_one(webhook_id, actor), actor)


def create(project_id: ObjectId | None, data: dict[str, Any], *, actor: Actor) -> tuple[Row, str]:
    """Create a webhook; return it as a row, and its secret, which is shown only once.

    Raises NotFound, Forbidden, Invalid (`webhook.address_refused`), Conflict (`quota.webhooks`).
    """
    _check_may_manage(project_id, actor)
    _check_scopes(actor, data["events"])
    _check_address(data["url"])
    return _create(project_id, data, actor)


@unit_of_work
def _create(project_id: ObjectId | None, data: dict[str, Any], actor: Actor) -> tuple[Row, str]:
    quotas.check_room("webhooks", _manageable(project_id, actor), project_id or actor.user_id)
    data = stored_filters.storable(data, actor, filters.scope(project_id, actor))
    secret = signing.make_secret()
    webhook = Webhook(owner_id=actor.user_id, project_id=project_id, secrets=[signing.stored(secret)], **data)
    webhook.save(force_insert=True)
    record(WebhookCreated(webhook, actor))
    return _described(webhook, actor), secret


def update(webhook_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Row:
    """Change a webhook; `active: true` also enables one that the service had disabled.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid (`webhook.address_refused`).
    """
    if "url" in changes:
        _check_may_change(webhook_id, actor)
        _check_address(changes["url"])
    return _update(webhook_id, changes, if_match, actor)


@unit_of_work
def _update(webhook_id: ObjectId, changes: dict[str, Any], if_match: IfMatch, actor: Actor) -> Row:
    webhook = _one(webhook_id, actor)
    _check_scopes(actor, [*webhook.events, *changes.get("events", ())])
    webhook.check_revision(if_match)
    if changes.get("active") and webhook.disabled_at:
        reset = dict.fromkeys(("disabled_at", "disabled_because", "failing_since", "backoff_until"))
        changes = changes | reset | {"failures": 0}
    differences = webhook.differences(stored_filters.storable(changes, actor, filters.scope(webhook.project_id, actor)))
    if differences:
        webhook = webhook.write(**{field: after for field, (_, after) in differences.items()})
        record(WebhookUpdated(webhook, actor, [field for field in differences if field != "references"]))
    return _described(webhook, actor)


@unit_of_work
def rotate(webhook_id: ObjectId, keep_hours: int, *, if_match: IfMatch, actor: Actor) -> tuple[Row, str]:
    """Rotate the secret; return the webhook as a row, and the new secret. The old one stays valid for some hours.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    webhook = _one(webhook_id, actor)
    webhook.check_revision(if_match)
    secret = signing.make_secret()
    webhook = webhook.write(secrets=signing.rotated(webhook.secrets, secret, timedelta(hours=keep_hours)))
    record(WebhookUpdated(webhook, actor, ["secret"]))
    return _described(webhook, actor), secret


@unit_of_work
def delete(webhook_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a webhook; its pending deliveries are not sent. Raises NotFound, Forbidden, PreconditionFailed."""
    webhook = _one(webhook_id, actor)
    webhook.check_revision(if_match)
    webhook.delete()
    record(WebhookDeleted(webhook, actor))


def visible_deliveries(webhook_id: ObjectId, state: str | None, actor: Actor) -> BaseQuerySet:
    """Return the deliveries of a webhook, of all states or of one.

    Deliveries of projects that the actor has left are left out. Raises NotFound, Forbidden, ScopeMissing.
    """
    webhook = _one(webhook_id, actor)
    _check_scopes(actor, webhook.events)
    found = Delivery.objects(recipient_id=webhook.id, channel="webhook")
    if webhook.project_id is None:
        found = found.filter(__raw__={"project_id": {"$in": [None, *actor.project_roles]}})
    return found.filter(state=state) if state else found


def get_delivery(webhook_id: ObjectId, delivery_id: ObjectId, *, actor: Actor) -> Row:
    """Return one delivery with its body and the log of its attempts. Raises NotFound, Forbidden, ScopeMissing."""
    row = visible_deliveries(webhook_id, None, actor).row(delivery_id)
    return row if "body" in row else row | {"body": bodies.find(row["event_id"]) or ""}


def replay(webhook_id: ObjectId, delivery_id: ObjectId, *, actor: Actor) -> Row:
    """Send a delivery again, with the same id and body.

    Raises NotFound, Forbidden, ScopeMissing, Conflict (`delivery.pending`, `webhook.disabled`, `webhook.off`).
    """
    event_id = visible_deliveries(webhook_id, None, actor).row(delivery_id, ["event_id"])["event_id"]
    webhook = _enabled(webhook_id, actor)
    if not webhook.active:
        raise Conflict("The webhook is off: turn it on first.", code="webhook.off")
    if not deliveries.replay(delivery_id):
        raise Conflict("This delivery is still pending.", code="delivery.pending")
    bodies.prolong(event_id)
    return get_delivery(webhook_id, delivery_id, actor=actor)


def test(webhook_id: ObjectId, *, actor: Actor) -> Row:
    """Plan the delivery of a test event. Raises NotFound, Forbidden, Conflict (`webhook.disabled`)."""
    webhook = _enabled(webhook_id, actor)
    row = _delivery(webhook, ObjectId(), TEST) | {"due_at": now()}
    bodies.keep(row["event_id"], payloads.build_test(webhook.id))
    deliveries.plan([row])
    return Delivery.objects.row(row["event_id"], by="event_id")


def wanted(events: Sequence[Event]) -> set[ObjectId]:
    """Return the ids of the events whose project may have a webhook. The relay calls this; it takes three queries."""
    active, project_ids = Webhook.objects(active=True, disabled_at=None), list({project_of(event) for event in events})
    of_projects = active.filter(project_id__in=project_ids).distinct("project_id")
    of_members = members.projects_with(active.filter(project_id=None).distinct("owner_id"), project_ids)
    return {event.id for event in events if project_of(event) in {*of_projects, *of_members}}


def notify(event: Event) -> None:
    """Plan a delivery for each webhook that wants the event, and send them. Safe to repeat."""
    if event.kind not in KINDS:
        return  # the event of a plugin that was removed since: the scope that may read it is not known
    project_id = project_of(event)
    subscribed = [webhook for webhook in _active(project_id, event.at) if matches(webhook.events, event.kind)]
    found = filters.matching(subscribed, event)
    if found:
        bodies.keep(event.id, payloads.build(event))
        retention.refresh_if_erased(event)
        rows = [_delivery(webhook, event.id, event.kind) | {"project_id": project_id} for webhook in found]
        deliveries.send_all(deliveries.plan(rows))


def delete_of_account(user_id: ObjectId) -> None:
    """Delete the webhooks of a deleted account for all its projects; those of single projects stay."""
    Webhook.objects(owner_id=user_id, project_id=None).delete()


def described(rows: Sequence[Row], project_id: ObjectId | None, actor: Actor) -> list[Row]:
    """Return rows of webhooks with their state and their filters in present names."""
    return stored_filters.current(list(map(with_state, rows)), actor, filters.scope(project_id, actor))


def _described(webhook: Webhook, actor: Actor) -> Row:
    return described([webhook.as_row()], webhook.project_id, actor)[0]


def with_state(row: Row) -> Row:
    """Return the row with its `state`: active, off or disabled."""
    return row | {"state": "disabled" if row.get("disabled_at") else "active" if row["active"] else "off"}


def _active(project_id: ObjectId, at: datetime) -> list[Webhook]:
    """Return the active webhooks that a project had at that time, and those of its members for all their projects."""
    user_ids = members.ids_of(project_id)
    either = {"$or": [{"project_id": project_id}, {"project_id": {"$exists": False}, "owner_id": {"$in": user_ids}}]}
    return list(Webhook.objects(__raw__={"$and": [either]}, active=True, disabled_at=None, created_at__lte=at))


def _delivery(webhook: Webhook, event_id: ObjectId, kind: str) -> Row:
    return {"event_id": event_id, "channel": "webhook", "recipient_id": webhook.id, "kind": kind, "has_body": True}


def _manageable(project_id: ObjectId | None, actor: Actor) -> BaseQuerySet:
    _check_may_manage(project_id, actor)
    if project_id is None:
        return Webhook.objects(owner_id=actor.user_id, project_id=None)
    return Webhook.objects(project_id=project_id)


def _check_may_manage(project_id: ObjectId | None, actor: Actor) -> None:
    """Raise NotFound, Forbidden, ScopeMissing unless the actor may manage webhooks of this project, or of their own."""
    if project_id is not None:
        authorize(actor, WebhookAction.MANAGE, Project.objects.visible_to(actor).one(project_id))
    elif actor.one_project:
        raise ScopeMissing("A token for one project cannot manage webhooks for all projects.")


def _one(webhook_id: ObjectId, actor: Actor) -> Webhook:
    webhook = Webhook.objects(id=webhook_id).first()
    if webhook is None or (webhook.project_id is None and webhook.owner_id != actor.user_id):
        raise NotFound
    _check_may_manage(webhook.project_id, actor)
    return webhook


def _check_may_change(webhook_id: ObjectId, actor: Actor) -> None:
    """Raise NotFound, Forbidden, ScopeMissing unless the actor may change this webhook."""
    _one(webhook_id, actor)


def _enabled(webhook_id: ObjectId, actor: Actor) -> Webhook:
    webhook = _one(webhook_id, actor)
    if webhook.disabled_at:
        raise Conflict("The webhook is disabled: turn it on first.", code="webhook.disabled")
    return webhook


def _check_scopes(actor: Actor, patterns: list[str]) -> None:
    """Raise ScopeMissing unless the actor has the scopes that read these events: a webhook must not bypass them."""
    for name, kind in KINDS.items():
        if matches(patterns, name) and not actor.has_scope(kind.scope):
            raise ScopeMissing(f"These events need the scope {kind.scope}.", scope=kind.scope)


def _check_address(url: str) -> None:
    """Raise Invalid for a URL that is refused. The transaction is closed meanwhile: name servers may be slow."""
    outside(("address", url), lambda: _resolve(url))


def _resolve(url: str) -> None:
    try:
        check(url, rules())
    except Refused as error:
        raise Invalid("body.url", error.detail, code=error.code) from None
