"""Use cases of the audit log. It is only ever added to, by `events.record`; `core.retention` ends it."""

from datetime import datetime
from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import Event, plain
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.querysets import Order, Page, Row
from taskmanager.features.audit.permissions import AuditAction


def find(order: Order, limit: int, *, actor: Actor, where: dict[str, Any], after: Any = None) -> Page:
    """A page of the log; `where` may have kind, actor_id, subject_id, since and until. Raises Forbidden."""
    authorize(actor, AuditAction.READ, None)
    return _page(_chosen(**where), order, limit, after)


def total(*, actor: Actor, where: dict[str, Any]) -> Any:
    """How many entries `find` would go through. Raises Forbidden."""
    authorize(actor, AuditAction.READ, None)
    return _chosen(**where).total()


def get(event_id: ObjectId, *, actor: Actor) -> Row:
    """One entry. Raises Forbidden, NotFound."""
    authorize(actor, AuditAction.READ, None)
    return _entry(_chosen().row(event_id))


def find_own(order: Order, limit: int, *, actor: Actor, where: dict[str, Any], after: Any = None) -> Page:
    """A page of what happened to the actor's own account."""
    return _page(_chosen(**where | {"subject_id": actor.user_id}), order, limit, after)


def total_own(*, actor: Actor, where: dict[str, Any]) -> Any:
    """How many entries `find_own` would go through."""
    return _chosen(**where | {"subject_id": actor.user_id}).total()


def _chosen(since: datetime | None = None, until: datetime | None = None, **same: Any) -> Any:
    """Entries by what they are about and when."""
    found = Event.objects(audited=True, **same)
    if since:
        found = found.filter(at__gte=since)
    if until:
        found = found.filter(at__lt=until)
    return found


def _page(found: Any, order: Order, limit: int, after: Any) -> Page:
    page = found.page(order, limit, after=after)
    return Page([_entry(row) for row in page.rows], page.next_key)


def _entry(row: Row) -> Row:
    origin = row.get("correlation", {})
    return {
        **row,
        "revision": 1,  # an entry never changes
        "address": origin.get("address"),
        "request_id": origin.get("request_id"),
        "data": plain(row.get("data", {})),
    }
