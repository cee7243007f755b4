"""Deliveries and events: search, and do again what was given up."""

from typing import Any
from urllib.parse import urlencode

from bson import ObjectId
from flask import Response, request
from pymongo.cursor import Cursor

from taskmanager.core.events import outbox
from taskmanager.core.events.log import Event
from taskmanager.features.notifications.delivery import service
from taskmanager.features.notifications.models import STATES, Delivery
from taskmanager.features.operations.events import DeliveriesReplayed, EventsRevived
from taskmanager.features.operations.service import audit
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.ops import tables
from taskmanager.ops.blueprint import MAX_ROWS, done, ops_page, searched
from taskmanager.ops.tables import Button, Cell, Choice, Table, short, when
from taskmanager.web.authentication.actors import current_actor

MAX_REPLAYS = 1_000
_LATEST_FIRST = [("created_at", -1), ("_id", -1)]  # in the order of the index of state and time
_COLUMNS = ("Created", "Channel", "Kind", "Recipient", "Attempts", "Next attempt", "Last error", "Action")
_EVERY = f"Send the given up ones again, {MAX_REPLAYS:,} at most"
_STATES_EXPLAINED = "Dead ones were given up after some attempts in a day; pending ones wait or are tried again."
_EVENTS = ("given up", "waiting", "latest")


@ops_page("/deliveries")
def deliveries() -> Response:
    """Return deliveries by state, channel and what is searched for; the latest first."""
    state = request.args.get("state", "dead")
    query = {"state": state if state in STATES else "dead", "channel": searched("channel"), "q": searched()}
    rows = list(chosen(query, searched("before")))
    last = rows[MAX_ROWS - 1]["_id"] if len(rows) > MAX_ROWS else ""
    every = Button(_EVERY, "/deliveries/replay", {"channel": query["channel"], "q": query["q"]})
    table = Table(
        query["state"].capitalize(),
        _COLUMNS,
        [_delivery(row) for row in rows[:MAX_ROWS]],
        buttons=(every,) if query["state"] == "dead" and rows else (),
        more=f"/deliveries?{urlencode(query | {'before': last})}" if last else "",
    )
    choices = (
        Choice("state", "State", query["state"], STATES),
        Choice("channel", "Channel", query["channel"]),
        Choice("q", "Address of the recipient, or an id (delivery, event, recipient)", query["q"]),
    )
    return tables.show("Deliveries", table, choices=choices, text=(_STATES_EXPLAINED,))


def chosen(query: dict[str, str], before: str) -> Cursor[dict[str, Any]]:
    """Find one delivery more than a page has, of those before one: by the index of state and time."""
    where, collection = _where(query["state"], query["channel"], query["q"]), Delivery._get_collection()
    if ObjectId.is_valid(before):
        last = ObjectId(before)
        known = collection.find_one({"_id": last}, {"created_at": 1})
        at = known["created_at"] if known else last.generation_time  # it may have been deleted meanwhile
        earlier = [{"created_at": {"$lt": at}}, {"_id": {"$lt": last}}]
        where = {"$and": [where, {"created_at": {"$lte": at}, "$or": earlier}]}
    found = collection.find(where, {"body": 0, "log": 0})
    return found.sort(_LATEST_FIRST).limit(MAX_ROWS + 1)


@ops_page("/deliveries/replay", methods=("POST",))
def replay() -> Response:
    """Send one delivery again, or all that were given up and that the search found."""
    given, channel, text = (request.form.get(name, "") for name in ("id", "channel", "q"))
    ids = [ObjectId(given)] if ObjectId.is_valid(given) else []
    if not given:
        found = Delivery._get_collection().find(_where("dead", channel, text), {"_id": 1})
        ids = [row["_id"] for row in found.sort(_LATEST_FIRST).limit(MAX_REPLAYS)]
    number = service.replay(*ids)
    if number:
        audit(DeliveriesReplayed(current_actor().user_id, number, channel, given or text))
    return done("/deliveries?state=pending")


@ops_page("/events")
def events() -> Response:
    """Return events that were given up, that wait, or the latest, perhaps those of a subject or a stream.

    Their data is not shown: administrators do not see the content of the projects of others.
    """
    kind = request.args.get("show", _EVENTS[0])
    kind = kind if kind in _EVENTS else _EVENTS[0]
    text = searched()
    revive = Button("Dispatch all that were given up again", "/events/revive")
    rows = [_event(row) for row in _events(kind, text)]
    return tables.show(
        "Events",
        Table(
            kind.capitalize(),
            ("At", "Kind", "Stream", "Subject", "Listeners that have not finished", "Attempts"),
            rows,
            buttons=(revive,) if kind == "given up" and rows else (),
        ),
        choices=(
            Choice("show", "Show", kind, _EVENTS),
            Choice("q", "An id (event, subject), or a stream such as project:<id>", text),
        ),
        text=("An event is given up when a listener has failed 40 times. Dispatch it again once the cause is gone.",),
    )


@ops_page("/events/revive", methods=("POST",))
def revive() -> Response:
    """Dispatch again the events that were given up."""
    audit(EventsRevived(current_actor().user_id, outbox.revive()))
    return done("/events?show=waiting")


def _where(state: str, channel: str, text: str) -> dict[str, Any]:
    return {"state": state, **_whose(text)} | ({"channel": channel} if channel else {})


def _whose(text: str) -> dict[str, Any]:
    """Return the filter of deliveries for a text: an id, or the address of an account."""
    if ObjectId.is_valid(text):
        found = ObjectId(text)
        return {"$or": [{"_id": found}, {"event_id": found}, {"recipient_id": found}]}
    if text:
        user = User.objects(email=text.lower()).only("id").first()
        hooks = Webhook.objects(owner_id=user.id).scalar("id") if user else ()
        return {"recipient_id": {"$in": [*([user.id] if user else ()), *hooks]}}
    return {}


def _delivery(row: dict[str, Any]) -> tuple[object, ...]:
    again = Button("Send again", "/deliveries/replay", {"id": str(row["_id"])})
    return (
        when(row["created_at"]),
        row["channel"],
        row.get("kind", ""),
        Cell(row["recipient_id"], "" if row["channel"] == "webhook" else f"/users/{row['recipient_id']}"),
        row.get("attempts", 0),
        when(row["due_at"]) if row.get("due_at") else "",
        short(row.get("last_error")),
        again if row["state"] != "pending" else "",
    )


def _events(kind: str, text: str) -> list[dict[str, Any]]:
    """Return at most MAX_ROWS events, by an index in each case."""
    given: dict[str, Any] = {}
    if ObjectId.is_valid(text):
        given = {"$or": [{"_id": ObjectId(text)}, {"subject_id": ObjectId(text)}]}
    elif text:
        given = {"stream": text}
    state = {"given up": {"died_at": {"$exists": True}}, "waiting": {"due_at": {"$exists": True}}}.get(kind, {})
    order = {"given up": "died_at", "waiting": "due_at"}.get(kind, "_id")
    fields = {"kind": 1, "at": 1, "stream": 1, "subject_id": 1, "pending": 1, "attempts": 1}
    return list(Event._get_collection().find(given | state, fields).sort(order, -1).limit(MAX_ROWS))


def _event(row: dict[str, Any]) -> tuple[object, ...]:
    pending = ", ".join(row.get("pending") or ())
    return (
        when(row["at"]),
        row["kind"],
        row["stream"],
        row.get("subject_id") or "",
        pending,
        row.get("attempts") or "",
    )
