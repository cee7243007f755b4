"""The writes of a client that was offline: each is the single request of the API, carried out once.

A write is dispatched to the view of its route, with the checks of that: scope, role, validation. The response is stored
under the mutation id in the transaction of the effect.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson
from flask import Response, current_app, request
from pymongo.errors import DuplicateKeyError
from werkzeug.exceptions import HTTPException

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid, NotFound, PreconditionFailed, TaskManagerError, Unavailable
from taskmanager.core.events.log import correlation
from taskmanager.features.sync.writes.schemas import WritesIn, WritesOut
from taskmanager.features.tasks.filtering.budgets import expensive
from taskmanager.web import answers
from taskmanager.web.authentication.actors import claim, use_claim
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.idempotency import once_by

blp = Blueprint("writes", __name__, scope="projects", description="Changes of clients that were offline")

MAX_SECONDS = 10.0  # then no further write begins
_MAX_MERGES = 3  # while others change the same object again and again
_TEMPORARY = "temp:"
_REFERENCES = ("_id", "_ids", "before", "after")  # the names of members whose values may be temporary ids
_KEPT = ("SCRIPT_NAME", "HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_USER_AGENT", "HTTP_ACCEPT_LANGUAGE")
_PATH = "/sync/writes"
_UNSAID = {"id": None, "merged": False, "replayed": False, "mine": None, "theirs": None}

# The operations that change what sync knows. Others, such as those of accounts and files, are requests of their own.
OPERATIONS = frozenset(
    (
        *("create_project", "update_project", "delete_project", "restore_project", "place_project"),
        *("archive_project", "unarchive_project", "replace_statuses"),
        *("add_member", "update_member", "remove_member"),
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
    """One write, as it was sent, or with real ids."""

    mutation_id: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    temp_id: str | None = None
    if_revision: int | None = None
    base: dict[str, Any] | None = None

    @property
    def encoded(self) -> bytes:
        """Return the body as JSON."""
        return b"" if self.body is None else orjson.dumps(self.body, option=orjson.OPT_SORT_KEYS)


@blp.route(_PATH, methods=["POST"], scope="projects:read", idempotent=False)
@blp.arguments(WritesIn)
@blp.response(200, WritesOut)
@expensive
def send_writes(data: dict[str, Any]) -> Response:
    """Send up to 100 changes that were made offline

    Each write is a request of the API: of projects, statuses, members, labels, custom fields, views, tasks, comments,
    reminders, notifications and preferences. It needs the role and the scope of that request, and has its own status in
    `results`. By its `mutation_id` it has its effect once, for 30 days, so a repetition is harmless. `if_revision` is
    as If-Match: a conflict is 412 with `mine` and `theirs`, and changes nothing; with `base` only when both have
    changed the same fields. After 10 seconds no further write begins: the remaining ones have the status 503
    `sync.writes_unfinished`; send them again.
    """
    batch = _Batch(in_order=data["mode"] == "in_order")
    return answers.data({"results": [batch.result(index, given) for index, given in enumerate(data["writes"])]})


@dataclass
class _Batch:
    """The writes of one request, and the ids of what they have created."""

    in_order: bool
    ids: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)  # by path: what the writes of this request have made
    failed: bool = False
    until: float = field(default_factory=lambda: monotonic() + settings.current().time_limit(MAX_SECONDS))

    def result(self, index: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a write, and return its result."""
        write = Write(**given)
        names = {"index": index, "mutation_id": write.mutation_id}
        names |= {"temp_id": write.temp_id} if write.temp_id else {}
        try:
            found = self._carry_out(replace(write, path=self._path(write.path), body=self._with_ids(write.body)))
        except (TaskManagerError, HTTPException, DuplicateKeyError) as error:
            self.failed = True
            found = _refused(error) | (self._versions(write) if isinstance(error, PreconditionFailed) else {})
        if write.temp_id and (created := (found["body"] or {}).get("id")):
            self.ids[write.temp_id] = found["id"] = created
        return names | _UNSAID | found

    def _carry_out(self, write: Write) -> dict[str, Any]:
        self._check(write)
        if self.failed and self.in_order:
            raise Conflict("An earlier write of this request has failed.", code="sync.write_skipped")
        if monotonic() > self.until:
            raise Unavailable("The time of the request was over: send it again.", code="sync.writes_unfinished")
        if write.if_revision is not None:
            write = replace(write, if_revision=max(write.if_revision, self.revisions.get(_object_path(write), 0)))
        try:
            return self._noted(write, _once(write))
        except PreconditionFailed:
            if write.base is None:
                raise
        self.revisions.pop(_object_path(write), None)
        return _merged(write, write.base)

    def _check(self, write: Write) -> None:
        """Raise Invalid for members that do not fit together."""
        if write.temp_id and (write.method != "POST" or write.temp_id in self.ids):
            raise Invalid("temp_id", "It names what one POST of the request creates.")
        if write.base is None:
            return
        if write.method != "PATCH" or write.if_revision is None:
            raise Invalid("base", "It needs PATCH and if_revision.")
        if missing := (write.body or {}).keys() - write.base.keys():
            raise Invalid("base", f"It lacks a field of body: {min(missing)[:50]!r}.")

    def _noted(self, write: Write, response: Response) -> dict[str, Any]:
        """Return the result of a response; a later write on the same object is based on what this one has made."""
        found = _done(response)
        revision = (found["body"] or {}).get("revision")
        if isinstance(revision, int):
            path = response.headers.get("Location", "").partition(_root())[2] or _object_path(write)
            self.revisions[path] = revision
        return found

    def _versions(self, write: Write) -> dict[str, Any]:
        return {"mine": write.body, "theirs": _present(replace(write, path=self._path(write.path)))}

    def _path(self, path: str) -> str:
        return "/".join(self._real(part) for part in path.split("/"))

    def _real(self, name: str) -> str:
        """Return the id that a temporary one stands for. Raises Conflict when its object was not created."""
        if not name.startswith(_TEMPORARY):
            return name
        found = self.ids.get(name.removeprefix(_TEMPORARY))
        if found is None:
            raise Conflict(
                f"The write that creates {name} is not before this one, or has failed.", code="sync.write_skipped"
            )
        return found

    def _with_ids(self, value: Any, *, refers: bool = False) -> Any:
        """Return a part of a body with real ids, where its name says that it is an id."""
        if isinstance(value, dict):
            return {name: self._with_ids(part, refers=name.endswith(_REFERENCES)) for name, part in value.items()}
        if isinstance(value, list):
            return [self._with_ids(part, refers=refers) for part in value]
        return self._real(value) if refers and isinstance(value, str) else value


def _root() -> str:
    """Return the path of the version, below which the writes are."""
    return request.path.removesuffix(_PATH)


def _object_path(write: Write) -> str:
    return write.path.removesuffix("/completion").removesuffix("/archive")


def _once(write: Write) -> Response:
    content = (write.method, write.path, write.encoded)
    return once_by(write.mutation_id, lambda: _dispatch(write, write.method), content)


def _merged(write: Write, base: dict[str, Any]) -> dict[str, Any]:
    """Carry out a write on the present revision. Raises PreconditionFailed when others have changed its fields."""
    for _ in range(_MAX_MERGES):
        present = _present(write)
        if present is None or not _is_untouched(write.body, base, present):
            break
        try:
            return _done(_once(replace(write, if_revision=present["revision"]))) | {"merged": True}
        except PreconditionFailed:
            continue
    raise PreconditionFailed


def _is_untouched(wanted: Any, base: Any, present: Any) -> bool:
    """Return whether what a merge patch (RFC 7396) changes is as it was, or is already as wanted."""
    if all(isinstance(part, dict) for part in (wanted, base, present)):
        return all(_is_untouched(part, base.get(name), present.get(name)) for name, part in wanted.items())
    return bool(present in (base, wanted))


def _present(write: Write) -> dict[str, Any] | None:
    """Return the object of a write as it is now; None when the caller does not see it, or it is none."""
    asked = replace(write, path=_object_path(write), body=None, if_revision=None)
    try:
        found = orjson.loads(_dispatch(asked, "GET").get_data())
    except (TaskManagerError, HTTPException):
        return None
    return found if isinstance(found, dict) else None


def _done(response: Response) -> dict[str, Any]:
    body = response.get_data()
    found = {"status": response.status_code, "body": orjson.loads(body) if body else None, "problem": None}
    return found | ({"replayed": True} if "Idempotency-Replayed" in response.headers else {})


def _refused(error: Exception) -> dict[str, Any]:
    """Return the result of a refused write. Raises the error when it is one of the service itself."""
    response = current_app.make_response(current_app.handle_user_exception(error))
    if response.status_code == 500:
        raise error
    status = response.status_code if response.status_code >= 400 else 404
    return {"status": status, "body": None, "problem": orjson.loads(response.get_data() or b"null")}


def _dispatch(write: Write, method: str) -> Response:
    """Return the response of the view for a write, or for the GET of its path. Raises as the view."""
    token = correlation.set(correlation.get() | {"mutation_id": write.mutation_id})
    claimed = claim()
    try:
        with current_app.app_context():  # the rights are loaded anew: an earlier write may have changed them
            use_claim(claimed)
            with current_app.request_context(_environ(write, method)):
                return _viewed(method)
    finally:
        correlation.reset(token)


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
    path = _root().encode() + unquote_to_bytes(write.path)
    kept |= {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.decode("latin-1"),
        "QUERY_STRING": "",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "HTTP_X_MUTATION_ID": write.mutation_id,
    }
    if body:
        kept["CONTENT_TYPE"] = "application/merge-patch+json" if method == "PATCH" else "application/json"
    if write.if_revision is not None:
        kept["HTTP_IF_MATCH"] = f'"{write.if_revision}"'
    return kept
