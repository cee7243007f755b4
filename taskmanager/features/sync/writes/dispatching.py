"""Carries out one write of a client that was offline: by the view of its route, as the single request."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from flask import Response, current_app, request
from pymongo.errors import DuplicateKeyError
from werkzeug.exceptions import HTTPException

from taskmanager.core.errors import Invalid, NotFound, TaskManagerError
from taskmanager.core.events.log import correlation
from taskmanager.web.authentication.actors import claim, use_claim
from taskmanager.web.errors import status_of
from taskmanager.web.telemetry import request_metrics

PATH = "/sync/writes"
_KEPT = ("SCRIPT_NAME", "HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_USER_AGENT", "HTTP_ACCEPT_LANGUAGE")

# The operations that change what sync knows. Others, such as those of accounts, files and
# invitations, are requests of their own.
OPERATIONS = frozenset(
    (
        *("create_project", "update_project", "delete_project", "restore_project", "place_project"),
        *("archive_project", "unarchive_project", "replace_statuses"),
        *("update_member", "remove_member"),
        *("create_label", "update_label", "delete_label"),
        *("create_custom_field", "update_custom_field", "delete_custom_field"),
        *("create_view", "update_view", "delete_view"),
        *("create_project_view", "update_project_view", "delete_project_view"),
        *("create_task", "update_task", "delete_task", "restore_task", "complete_task", "reopen_task"),
        *("place_task", "move_task", "watch_task", "unwatch_task", "create_relation", "delete_relation"),
        *("create_comment", "update_comment", "delete_comment", "add_reaction", "remove_reaction"),
        *("create_reminder", "replace_reminder", "delete_reminder"),
        *("mark_notification_read", "mark_notification_unread", "mark_notifications_read"),
        *("update_notification_preferences", "update_project_notification_preferences"),
    )
)


@dataclass(frozen=True)
class Write:
    """One write, as it was sent, or with real ids. `query` is the part of the path behind the `?`."""

    mutation_id: str
    method: str
    path: str
    query: str = ""
    body: dict[str, Any] | None = None
    temp_id: str | None = None
    if_revision: int | None = None
    base: dict[str, Any] | None = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> "Write":
        """Return the write of an item of the request."""
        path, _, query = given["path"].partition("?")
        return cls(**{**given, "path": path, "query": query})

    @property
    def content(self) -> tuple[str, str, bytes]:
        """Return what the mutation id names: the same id with another content is refused."""
        return self.method, f"{self.path}?{self.query}" if self.query else self.path, self.encoded

    @property
    def encoded(self) -> bytes:
        """Return the body as JSON."""
        return b"" if self.body is None else orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)


def root() -> str:
    """Return the path of the version, below which the writes are."""
    return request.path.removesuffix(PATH)


def dispatch(write: Write, method: str) -> Response:
    """Return the response of the view for a write, or for the GET of its path. Raises as the view."""
    token = correlation.set(correlation.get() | {"mutation_id": write.mutation_id})
    claimed = claim()
    try:
        with current_app.app_context():  # the rights are loaded anew: an earlier write may have changed them
            use_claim(claimed)
            with current_app.request_context(_environ(write, method)):
                return _viewed(method) if method == "GET" else _counted(method)
    finally:
        correlation.reset(token)


def _counted(method: str) -> Response:
    """Return the response of the view, and count it as the request that it is."""
    began, status = perf_counter(), 500
    try:
        response = _viewed(method)
        status = response.status_code
        return response
    except (TaskManagerError, HTTPException, DuplicateKeyError) as error:
        status = _status_of(error)
        raise
    finally:
        route = request.url_rule.rule if request.url_rule else None
        request_metrics.count(method, route, status, perf_counter() - began)


def _status_of(error: Exception) -> int:
    if isinstance(error, TaskManagerError):
        return status_of(error)
    return error.code or 500 if isinstance(error, HTTPException) else 409


def _viewed(method: str) -> Response:
    name = (request.endpoint or "").rpartition(".")[2]
    if method != "GET" and request.routing_exception is None and name not in OPERATIONS:
        raise Invalid(
            "path",
            "This is no change of what sync knows: send it as a request of its own.",
            code="sync.write_unsupported",
        )
    if isinstance(request.routing_exception, HTTPException) and (request.routing_exception.code or 500) < 400:
        raise NotFound
    return current_app.make_response(current_app.dispatch_request())


def _environ(write: Write, method: str) -> dict[str, Any]:
    """Return the request of a write: from the same client, with its own path, body and precondition."""
    kept = {
        name: value
        for name, value in request.environ.items()
        if name.startswith(("wsgi.", "SERVER_", "REMOTE_")) or name in _KEPT
    }
    body = write.encoded if method != "GET" else b""
    path = root().encode() + unquote_to_bytes(write.path)
    kept |= {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": write.query if method != "GET" else "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_X_MUTATION_ID": write.mutation_id,
    }
    if body:
        kept["CONTENT_TYPE"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    if write.if_revision is not None:
        kept["HTTP_IF_MATCH"] = f'"{write.if_revision}"'
    return kept
