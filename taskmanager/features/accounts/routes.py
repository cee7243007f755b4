"""Routes of an account as a whole: export and deletion."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
from flask import Response

from taskmanager.core.configuration import settings
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.extensions import limiter
from taskmanager.features.accounts import service as accounts
from taskmanager.features.accounts.schemas import BELONGING, ExportOut
from taskmanager.features.audit.schemas import ENTRY
from taskmanager.features.comments.routes import COMMENT
from taskmanager.features.notifications.phones.routes import PHONE
from taskmanager.features.notifications.schemas import NOTIFICATION, PREFERENCES, PROJECT_PREFERENCES
from taskmanager.features.tasks.recurrence.routes import REMINDER
from taskmanager.features.tasks.schemas import TASK
from taskmanager.features.users.schemas import SESSION, USER
from taskmanager.features.users.tokens.schemas import API_TOKEN
from taskmanager.features.views.routes import VIEW
from taskmanager.features.webhooks.schemas import WEBHOOK
from taskmanager.web import answers, limits
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match

blp = Blueprint("accounts", __name__, url_prefix="/users/me", description="Your account as a whole")


@blp.route("", methods=["DELETE"], problems=(404, 409))
@blp.response(204)
def delete_account() -> Response:
    """Delete your account

    Your personal data is deleted: address, name, sessions, tokens and second factor. Projects without other members go
    to the trash, and content that others need stays, by a deleted user. It needs a login within the last ten minutes.
    409 `user.last_owner`, with `projects`, while projects with other members would have no owner.
    """
    accounts.delete(if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route("/export")
@blp.response(200, ExportOut)
@limiter.limit(lambda: settings.current().ratelimit_export, key_func=limits.caller)
def export_account() -> Response:
    """Download all your data

    One JSON file: account, sessions, API tokens, memberships, visible tasks that you made or are assigned to, your
    comments on visible tasks, reminders, views, notifications and notification preferences, your phone number, your
    webhooks, and the log of your account. It contains no secrets.
    """
    response = Response(_export(current_actor()), content_type="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="taskmanager-export.json"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _export(actor: Actor) -> Iterator[bytes]:
    """Yield the file in chunks: it is never in memory as a whole."""
    yield b'{"account": ' + orjson.dumps(USER.dump(accounts.exported_account(actor=actor)))
    for name, rows, dump in _parts(actor):
        yield b', "' + name.encode() + b'": ['
        yield from _joined(rows, dump)
        yield b"]"
    yield b"}"


def _parts(actor: Actor) -> Iterable[tuple[str, Iterator[Row], Callable[[Row], Any]]]:
    yield "sessions", accounts.exported_sessions(actor=actor), SESSION.dump
    yield "tokens", accounts.exported_tokens(actor=actor), API_TOKEN.dump
    yield "memberships", accounts.exported_memberships(actor=actor), BELONGING.dump
    yield "tasks", accounts.exported_tasks(actor=actor), TASK.dump
    yield "comments", accounts.exported_comments(actor=actor), COMMENT.dump
    yield "reminders", accounts.exported_reminders(actor=actor), REMINDER.dump
    yield "views", accounts.exported_views(actor=actor), VIEW.dump
    yield "notifications", accounts.exported_notifications(actor=actor), NOTIFICATION.dump
    yield "preferences", accounts.exported_preferences(actor=actor), PREFERENCES.dump
    yield "project_preferences", accounts.exported_project_preferences(actor=actor), PROJECT_PREFERENCES.dump
    yield "phones", accounts.exported_phones(actor=actor), PHONE.dump
    yield "webhooks", accounts.exported_webhooks(actor=actor), WEBHOOK.dump
    yield "events", accounts.exported_events(actor=actor), ENTRY.dump


def _joined(rows: Iterator[Row], dump: Callable[[Row], Any]) -> Iterator[bytes]:
    separator = b""
    for row in rows:
        yield separator + orjson.dumps(dump(row))
        separator = b", "
