"""Use cases of webhooks: a URL of a program that is told of events."""

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
from taskmanager.core.storage.querysets import BaseQuerySet, Row
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
    """Return the webhooks of a project, or the actor's own, with what they say now.

    Raises NotFound, Forbidden, ScopeMissing.
    """
    needed = (*stored_filters.FIELDS_NEEDED, "active", "disabled_at")
    return Described(_of(project_id, actor), lambda rows: described(rows, project_id, actor), needed)


def get(webhook_id: ObjectId, *, actor: Actor) -> Row:
    """Return one webhook. Raises NotFound, Forbidden."""
    return _described(_one(webhook_id, actor), actor)


def create(project_id: ObjectId | None, data: dict[str, Any], *, actor: Actor) -> tuple[Row, str]:
    """Make a webhook; answers its secret too, which is shown once.

    Raises NotFound, Forbidden, Invalid (`webhook.address_refused`), Conflict (`quota.webhooks`).
    """
    _check_may_manage(project_id, actor)
    _check_scopes(actor, data["events"])
    _check_address(data["url"])
    return _create(project_id, data, actor)


@unit_of_work
def _create(project_id: ObjectId | None, data: dict[str, Any], actor: Actor) -> tuple[Row, str]:
    quotas.check_room("webhooks", _of(project_id, actor))
    data = stored_filters.storable(data, actor, filters.scope(project_id, actor))
    secret = signing.make_secret()
    webhook = Webhook(owner_id=actor.user_id, project_id=project_id, secrets=[signing.stored(secret)], **data)
    webhook.save(force_insert=True)
    record(WebhookCreated(webhook, actor))
    return _described(webhook, actor), secret


def update(webhook_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Row:
    """Change a webhook; turning it on enables one that was disabled for its failures.

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
        healed = dict.fromkeys(("disabled_at", "disabled_because", "failing_since", "rests_until"))
        changes = changes | healed | {"failures": 0}
    differences = webhook.differences(stored_filters.storable(changes, actor, filters.scope(webhook.project_id, actor)))
    if differences:
        webhook = webhook.write(**{field: after for field, (_, after) in differences.items()})
        record(WebhookUpdated(webhook, actor, [field for field in differences if field != "references"]))
    return _described(webhook, actor)


@unit_of_work
def rotate(webhook_id: ObjectId, keep_hours: int, *, if_match: IfMatch, actor: Actor) -> tuple[Row, str]:
    """Give a webhook a new secret; the one before is used beside it for some hours.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    webhook = _one(webhook_id, actor)
    webhook.check_revision(if_match)
    secret = signing.make_secret()
    webhook = webhook.write(secrets=signing.replaced(webhook.secrets, secret, timedelta(hours=keep_hours)))
    record(WebhookUpdated(webhook, actor, ["secret"]))
    return _described(webhook, actor), secret


@unit_of_work
def delete(webhook_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Delete a webhook; what waits to be sent to it is not sent. Raises NotFound, Forbidden, PreconditionFailed."""
    webhook = _one(webhook_id, actor)
    webhook.check_revision(if_match)
    webhook.delete()
    record(WebhookDeleted(webhook, actor))


def visible_deliveries(webhook_id: ObjectId, state: str | None, actor: Actor) -> BaseQuerySet:
    """Return what was sent to a webhook, and what waits.

    Of one for all of the actor's projects without what is of projects that they have left. Raises NotFound, Forbidden,
    ScopeMissing.
    """
    webhook = _one(webhook_id, actor)
    _check_scopes(actor, webhook.events)
    found = Delivery.objects(recipient_id=webhook.id, channel="webhook")
    if webhook.project_id is None:
        seen = {"project_id": {"$in": [None, *actor.project_roles]}}
        found = found.filter(__raw__=seen)
    return found.filter(state=state) if state else found


def get_delivery(webhook_id: ObjectId, delivery_id: ObjectId, *, actor: Actor) -> Row:
    """Return one delivery with what was sent and what was answered. Raises NotFound, Forbidden."""
    row = visible_deliveries(webhook_id, None, actor).row(delivery_id)
    return row if "body" in row else row | {"body": bodies.find(row["event_id"]) or ""}


def replay(webhook_id: ObjectId, delivery_id: ObjectId, *, actor: Actor) -> Row:
    """Send a delivery again, with the same id and body.

    Raises NotFound, Forbidden, Conflict (`delivery.pending`; `webhook.disabled`, `webhook.off`).
    """
    event_id = visible_deliveries(webhook_id, None, actor).row(delivery_id, ["event_id"])["event_id"]
    webhook = _enabled(webhook_id, actor)
    if not webhook.active:
        raise Conflict("The webhook is off: turn it on first.", code="webhook.off")
    if not deliveries.replay(delivery_id):
        raise Conflict("This delivery is still being tried.", code="delivery.pending")
    bodies.prolong(event_id)
    return get_delivery(webhook_id, delivery_id, actor=actor)


def test(webhook_id: ObjectId, *, actor: Actor) -> Row:
    """Have a test sent. Raises NotFound, Forbidden, Conflict (`webhook.disabled`)."""
    webhook = _enabled(webhook_id, actor)
    row = _delivery(webhook, ObjectId(), TEST) | {"due_at": now()}
    bodies.keep(row["event_id"], payloads.of_test(webhook.id))
    deliveries.plan([row])
    return Delivery.objects.row(row["event_id"], by="event_id")


def wanted(events: Sequence[Event]) -> set[ObjectId]:
    """Return for which of these events a user may have a webhook: three questions of indexes, asked by the relay."""
    able, asked = Webhook.objects(active=True, disabled_at=None), list({project_of(event) for event in events})
    of_projects = able.filter(project_id__in=asked).distinct("project_id")
    of_people = members.projects_with(able.filter(project_id=None).distinct("owner_id"), asked)
    return {event.id for event in events if project_of(event) in {*of_projects, *of_people}}


def notify(event: Event) -> None:
    """Make a delivery for each webhook that wants the event, and send them. Safe to repeat."""
    if event.kind not in KINDS:
        return  # of a plugin that was removed meanwhile: which scope may read it is not known
    project_id = project_of(event)
    active = [hook for hook in _active(project_id, event.at) if matches(hook.events, event.kind)]
    found = filters.holding(active, event)
    if found:
        bodies.keep(event.id, payloads.of(event))
        retention.refresh_if_erased(event)
        rows = [_delivery(hook, event.id, event.kind) | {"project_id": project_id} for hook in found]
        deliveries.send_all(deliveries.plan(rows))


def delete_of_account(user_id: ObjectId) -> None:
    """Drop the webhooks of an account that is gone; those of projects stay."""
    Webhook.objects(owner_id=user_id, project_id=None).delete()


def described(rows: list[Row], project_id: ObjectId | None, actor: Actor) -> list[Row]:
    """Return the webhooks of a place as clients see them."""
    return stored_filters.current(list(map(with_state, rows)), actor, filters.scope(project_id, actor))


def _described(webhook: Webhook, actor: Actor) -> Row:
    return described([webhook.as_row()], webhook.project_id, actor)[0]


def with_state(row: Row) -> Row:
    """Return a stored webhook with the state that it is in."""
    return row | {"state": "disabled" if row.get("disabled_at") else "active" if row["active"] else "off"}


def _active(project_id: ObjectId, at: datetime) -> list[Webhook]:
    """Return the webhooks that a project had then, and those of its members for all their projects."""
    people = members.ids_of(project_id)
    places = {"$or": [{"project_id": project_id}, {"project_id": {"$exists": False}, "owner_id": {"$in": people}}]}
    return list(Webhook.objects(__raw__={"$and": [places]}, active=True, disabled_at=None, created_at__lte=at))


def _delivery(webhook: Webhook, event_id: ObjectId, kind: str) -> Row:
    return {"event_id": event_id, "channel": "webhook", "recipient_id": webhook.id, "kind": kind, "has_body": True}


def _of(project_id: ObjectId | None, actor: Actor) -> Any:
    _check_may_manage(project_id, actor)
    if project_id is None:
        return Webhook.objects(owner_id=actor.user_id, project_id=None)
    return Webhook.objects(project_id=project_id)


def _check_may_manage(project_id: ObjectId | None, actor: Actor) -> None:
    """Raise NotFound, Forbidden, ScopeMissing unless the actor may have webhooks of this project, or of their own."""
    if project_id is not None:
        authorize(actor, WebhookAction.MANAGE, Project.objects.visible_to(actor).one(project_id))
    elif actor.one_project:
        raise ScopeMissing("A token for one project cannot have webhooks for all of them.")


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
    """Raise ScopeMissing unless the actor may read all that these events tell: a webhook is no way around scopes."""
    for name, kind in KINDS.items():
        if matches(patterns, name) and not actor.has_scope(kind.scope):
            raise ScopeMissing(f"These events tell what needs the scope {kind.scope}.", scope=kind.scope)


def _check_address(url: str) -> None:
    """Raise Invalid for an address that is refused; a name server may take its time, so no transaction is open."""
    outside(("address", url), lambda: _resolve(url))


def _resolve(url: str) -> None:
    try:
        check(url, rules())
    except Refused as error:
        raise Invalid("body.url", error.detail, code=error.code) from None
