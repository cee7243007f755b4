"""Use cases of the audit log. `core.events.log.record` adds entries; `core.events.retention` deletes old ones."""

from datetime import datetime

from bson import ObjectId

from taskmanager.core.events.log import Event, plain
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.features.audit.permissions import AuditAction


def visible(
    actor: Actor,
    *,
    kind: str | None = None,
    actor_id: ObjectId | None = None,
    subject_id: ObjectId | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Described:
    """Return the entries of the log that have these values, from `since` on and before `until`. Raises Forbidden."""
    authorize(actor, AuditAction.READ, None)
    return _described({"kind": kind, "actor_id": actor_id, "subject_id": subject_id}, since, until)


def visible_own(
    actor: Actor, *, kind: str | None = None, since: datetime | None = None, until: datetime | None = None
) -> Described:
    """Return the entries about the actor's own account, with the same filters as `visible`."""
    return _described({"kind": kind, "subject_id": actor.user_id}, since, until)


def get(event_id: ObjectId, *, actor: Actor) -> Row:
    """Return one entry. Raises Forbidden, NotFound."""
    return visible(actor).row(event_id)


def _described(values: dict[str, str | ObjectId | None], since: datetime | None, until: datetime | None) -> Described:
    given = {name: value for name, value in values.items() if value is not None}
    found = Event.objects(audited=True, **given)
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    return Described(found, lambda rows: [_entry(row) for row in rows], needed=("correlation",))


def _entry(row: Row) -> Row:
    origin = row.get("correlation", {})
    return {
        **row,
        "revision": 1,  # entries have no revisions
        "address": origin.get("address"),
        "request_id": origin.get("request_id"),
        "data": plain(row.get("data", {})),
    }
