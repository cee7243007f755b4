"""Accounts with their sessions, and the audit log."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.errors import Conflict
from taskmanager.core.storage.orders import Order
from taskmanager.features.audit import service as audit
from taskmanager.features.users.administration import service as administration
from taskmanager.features.users.models import Session, User
from taskmanager.ops import tables
from taskmanager.ops.blueprint import MAX_ROWS, done, ops_page, searched
from taskmanager.ops.tables import Button, Cell, Choice, Table, short, size, when
from taskmanager.pages import forms
from taskmanager.web.authentication.actors import current_actor

_FIELDS = ("email", "name", "role", "kind", "disabled_at", "email_verified_at", "created_at", "attachment_bytes")
_FILTERS: dict[str, dict[str, Any]] = {"administrators": {"role": "admin"}, "disabled": {"disabled": True}}
_STATES = ("all", "administrators", "disabled")


@ops_page("/users")
def users() -> Response:
    """Return accounts by the beginning of address or name."""
    text, state = searched(), searched("show")
    state = state if state in _STATES else "all"
    where: dict[str, Any] = {"q": text} if text else {}
    where |= _FILTERS.get(state, {})
    page = administration.visible(current_actor(), **where).page(Order.by("-created_at"), MAX_ROWS, fields=_FIELDS)
    rows = [
        (Cell(row["email"], f"/users/{row['_id']}"), row["name"], row["role"], row["kind"], _marks(row),
         when(row["created_at"]))
        for row in page.rows
    ]  # fmt: skip
    return tables.show(
        "Users",
        Table("The latest" if not text else "Found", ("Address", "Name", "Role", "Kind", "State", "Created"), rows),
        choices=(
            Choice("show", "Show", state, _STATES),
            Choice("q", "Beginning of the address, the name or a word of it", text),
        ),
        text=(f"At most {MAX_ROWS} are shown.",),
    )


@ops_page("/users/<objectid:user_id>")
def user(user_id: ObjectId) -> Response:
    """Return an account with its sessions, and what can be done to it."""
    row = administration.get(user_id, actor=current_actor())
    path, verb = f"/users/{user_id}", "enable" if row.get("disabled_at") else "disable"
    buttons = (
        Button("End all sessions", f"{path}/sessions/end"),
        Button(f"{verb.capitalize()} the account", f"{path}/{verb}"),
        Button("Send a mail to set a new password", f"{path}/password-reset"),
    )
    return tables.show(
        row["email"],
        Table("Account", ("Fact", "Value"), _facts(row), buttons=buttons),
        Table("Sessions", ("Began", "Refreshed", "Address", "Client", "State"), _sessions(user_id)),
        Table("What happened to the account", _COLUMNS, _entries(subject_id=user_id)),
    )


def _facts(row: dict[str, Any]) -> list[tuple[str, object]]:
    return [
        ("Id", row["_id"]),
        ("Address", row["email"]),
        ("Name", row["name"]),
        ("Role", row["role"]),
        ("State", _marks(row)),
        ("Created", when(row["created_at"])),
        ("Bytes of uploads", size(row.get("attachment_bytes") or 0)),
    ]


def _sessions(user_id: ObjectId) -> list[tuple[object, ...]]:
    return [
        (when(one.created_at), when(one.rotated_at), one.address or "", short(one.user_agent, 80),
         one.ended_because or ("lives" if not one.ended_at else "ended"))
        for one in Session.objects(user_id=user_id).order_by("-created_at").limit(MAX_ROWS)
    ]  # fmt: skip


@ops_page("/users/<objectid:user_id>/sessions/end", methods=("POST",), in_maintenance=True)
def end_sessions(user_id: ObjectId) -> Response:
    """Log an account out everywhere."""
    administration.end_sessions(user_id, actor=current_actor())
    return done(f"/users/{user_id}")


@ops_page("/users/<objectid:user_id>/<any(enable, disable):verb>", methods=("POST",), in_maintenance=True)
def change(user_id: ObjectId, verb: str) -> Response:
    """Enable or disable an account; in a maintenance only disable it."""
    try:
        administration.update(user_id, {"disabled": verb == "disable"}, if_match=None, actor=current_actor())
    except Conflict as error:
        return forms.tell("This did not work", error.detail, status=409, links=(("Back", f"/users/{user_id}"),))
    return done(f"/users/{user_id}")


@ops_page("/users/<objectid:user_id>/password-reset", methods=("POST",))
def send_reset(user_id: ObjectId) -> Response:
    """Send the user of an account a mail to set a password."""
    administration.send_reset(user_id, actor=current_actor())
    return done(f"/users/{user_id}")


_COLUMNS = ("At", "Kind", "By", "About", "Address", "Request", "Data")


@ops_page("/audit")
def audit_log() -> Response:
    """Return the latest entries of the audit log, perhaps of a kind or about an account."""
    kind, text = searched("kind"), searched()
    where: dict[str, Any] = {"kind": kind} if kind else {}
    if text:
        where["subject_id"] = _account(text)
    return tables.show(
        "Audit",
        Table("The latest entries", _COLUMNS, _entries(**where)),
        choices=(
            Choice("kind", "Kind, such as session.started", kind),
            Choice("q", "About this account: its address or id", text),
        ),
        text=(f"At most {MAX_ROWS} are shown; GET /audit pages through all.",),
    )


def _entries(**where: Any) -> list[tuple[object, ...]]:
    page = audit.visible(current_actor(), **where).page(
        Order.by("-at"), MAX_ROWS, fields=("kind", "at", "actor_id", "subject_id", "correlation", "data")
    )
    return [
        (when(row["at"]), row["kind"], row.get("actor_id") or "", row.get("subject_id") or "", row["address"] or "",
         row["request_id"] or "", short(row["data"], 120))
        for row in page.rows
    ]  # fmt: skip


def _account(text: str) -> ObjectId:
    """Return the id that a text is, or that of the account with this address, or one that nothing has."""
    if ObjectId.is_valid(text):
        return ObjectId(text)
    found = User.objects(email=text.lower()).only("id").first()
    return found.id if found else ObjectId("0" * 24)


def _marks(row: dict[str, Any]) -> str:
    marks = {"disabled": row.get("disabled_at"), "address not confirmed": not row.get("email_verified_at")}
    return ", ".join(word for word, holds in marks.items() if holds) or "active"
