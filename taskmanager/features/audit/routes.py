"""Routes of the audit log."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.audit import service as audit
from taskmanager.features.audit.schemas import CHOOSING, ENTRY, EntryListQuery, EntryOut, OwnListQuery
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.pagination import item_query, page_of

blp = Blueprint("audit", __name__, description="The audit log: security events")


@blp.route("/audit", replicas="lists")
@blp.arguments(EntryListQuery, location="query")
@blp.response(200, page_of(EntryOut))
def list_audit_entries(query: dict[str, Any]) -> Response:
    """List what happened to accounts and rights

    For administrators. Entries never change, except that the personal data of deleted accounts is removed. They are
    deleted after the operator's number of days.
    """
    return answers.listing(query, ENTRY, audit.visible(current_actor(), **_where(query)))


@blp.route("/audit/<objectid:event_id>")
@blp.arguments(item_query(ENTRY), location="query")
@blp.response(200, EntryOut)
def get_audit_entry(query: dict[str, Any], event_id: ObjectId) -> Response:
    """Get one entry of the audit log

    For administrators.
    """
    return answers.resource(audit.get(event_id, actor=current_actor()), ENTRY, query)


@blp.route("/users/me/events", replicas="lists")
@blp.arguments(OwnListQuery, location="query")
@blp.response(200, page_of(EntryOut))
def list_own_events(query: dict[str, Any]) -> Response:
    """List what happened to your account: logins, failures, changes

    Each entry has the address and the request id, so that a login by another person can be recognised.
    """
    return answers.listing(query, ENTRY, audit.visible_own(current_actor(), **_where(query)))


def _where(query: dict[str, Any]) -> dict[str, Any]:
    return {name: query[name] for name in CHOOSING if name in query}
