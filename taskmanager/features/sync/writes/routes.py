"""The writes of a client that was offline: each is the single request of the API, carried out once.

A write is dispatched to the view of its route, with the checks of that: scope, role, validation. The response is stored
under the mutation id in the transaction of the effect.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import orjson
from flask import Response, current_app
from werkzeug.exceptions import HTTPException

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Invalid, PreconditionFailed, TaskManagerError, Unavailable
from taskmanager.features.sync.writes.dispatching import PATH, Write, dispatch, root
from taskmanager.features.sync.writes.schemas import WritesIn, WritesOut
from taskmanager.features.tasks.filtering.budgets import expensive
from taskmanager.web import answers, limits
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.idempotency import MERGED, REPLAYED, once_by

blp = Blueprint("writes", __name__, scope="projects", description="Changes of clients that were offline")

MAX_SECONDS = 10.0  # then no further write begins
_MAX_MERGES = 3  # while others change the same object again and again
_TEMPORARY = "temp:"
_REFERENCES = ("_id", "_ids", "before", "after")  # the names of members whose values may be temporary ids
_TEXTS = ("custom_fields",)  # members whose names are those of users
_OF_OBJECT = ("/completion", "/archive", "/position")  # paths that change the object above
_OF_PROJECT = ("/statuses",)  # has an own form, and the revision of the project
_RESTORED = "/restore"
_UNSETTLED = (401, 408, 429)  # no answers to a write
_UNSAID = {"id": None, "merged": False, "replayed": False, "mine": None, "theirs": None}


@blp.route(PATH, methods=["POST"], scope="projects:read", idempotent=False)
@blp.arguments(WritesIn)
@blp.response(200, WritesOut)
@expensive
def send_writes(data: dict[str, Any]) -> Response:
    """Send up to 100 changes that were made offline

    Each write is a request of the API: of projects, statuses, members, labels, custom fields, views, tasks, comments,
    reminders, notifications and preferences. It needs the role and the scope of that request, may have its query, and
    has its own status in `results`. By its `mutation_id` it has its effect once, for 30 days, so a repetition is
    harmless: its `body` has `id` and `revision` of then. `if_revision` is as If-Match: a conflict is 412 with `mine`
    and `theirs`, and changes nothing; with `base` only when both have changed the same fields. A write counts as a
    request. After 10 seconds no further write begins: the remaining ones have the status 503
    `sync.writes_unfinished`; send them again.
    """
    limits.count_also(len(data["writes"]) - 1)
    batch = _Batch(in_order=data["mode"] == "in_order")
    return answers.data({"results": [batch.result(index, given) for index, given in enumerate(data["writes"])]})


@dataclass
class _Batch:
    """The writes of one request, and the ids of what they have created."""

    in_order: bool
    ids: dict[str, str] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)  # by path: what the writes of this request have made
    failed: bool = False
    unsettled: set[str | None] = field(
        default_factory=set
    )  # the temporary ids of writes to be sent again; None: others
    until: float = field(default_factory=lambda: monotonic() + settings.current().time_limit(MAX_SECONDS))

    def result(self, index: int, given: Mapping[str, Any]) -> dict[str, Any]:
        """Carry out a write, and return its result."""
        write = Write.of(given)
        names = {"index": index, "mutation_id": write.mutation_id}
        names |= {"temp_id": write.temp_id} if write.temp_id else {}
        try:
            found = self._settled(write)
        except Exception as error:  # also a fault of the service: the results of the other writes are not lost
            found = _refused(error)
        self.failed |= found["status"] >= 400
        if _is_unsettled(found):
            self.unsettled.add(write.temp_id)
        if write.temp_id and (created := (found["body"] or {}).get("id")):
            self.ids[write.temp_id] = found["id"] = created
        return names | _UNSAID | found

    def _settled(self, write: Write) -> dict[str, Any]:
        try:
            return self._carry_out(self._with_real_ids(write))
        except PreconditionFailed as error:
            return _refused(error) | self._versions(write)

    def _carry_out(self, write: Write) -> dict[str, Any]:
        self._check(write)
        if self.unsettled and self.in_order:
            raise _unfinished("An earlier write of this request is not settled: send both again.")
        if self.failed and self.in_order:
            raise Conflict("An earlier write of this request has failed.", code="sync.write_skipped")
        if monotonic() > self.until:
            raise _unfinished("The time of the request was over: send it again.")
        if write.if_revision is not None:
            write = replace(write, if_revision=max(write.if_revision, self.revisions.get(_revised(write), 0)))
        try:
            return self._noted(write, _once(write))
        except PreconditionFailed:
            if write.base is None:
                raise
        self.revisions.pop(_revised(write), None)
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
        """Return the result of a response; a later write on the same object is based on what this one has made.

        Only what followed a known revision is noted. Another user may have made what a merged write was applied to, or
        one without a precondition: a later write must not take that for seen.
        """
        found = _done(response)
        revision = (found["body"] or {}).get("revision")
        created = response.headers.get("Location", "").partition(root())[2] if found["status"] == 201 else ""
        path = created or _revised(write)
        if found["merged"]:
            self.revisions.pop(path, None)
        elif write.path.endswith(_RESTORED) and revision == self.revisions.get(path, 0) + 1:
            self.revisions[path] = revision  # of what an earlier write has deleted
        elif isinstance(revision, int) and (created or write.if_revision is not None):
            self.revisions[path] = revision
        elif found["status"] == 204 and write.method == "DELETE" and write.if_revision and not found["replayed"]:
            self.revisions[path] = write.if_revision + 1  # in the trash
        return found

    def _versions(self, write: Write) -> dict[str, Any]:
        return {"mine": write.body, "theirs": _present(replace(write, path=self._path(write.path)))}

    def _with_real_ids(self, write: Write) -> Write:
        body, base = self._with_ids(write.body), self._with_ids(write.base)
        return replace(write, path=self._path(write.path), body=body, base=base)

    def _path(self, path: str) -> str:
        return "/".join(self._real(part) for part in path.split("/"))

    def _real(self, name: str) -> str:
        """Return the id that a temporary one stands for. Raises Conflict when its object was not created."""
        if not name.startswith(_TEMPORARY):
            return name
        temporary = name.removeprefix(_TEMPORARY)
        if temporary in self.unsettled:
            raise _unfinished(f"The write that creates {name} is not settled: send both again.")
        found = self.ids.get(temporary)
        if found is None:
            raise Conflict(
                f"The write that creates {name} is not before this one, or has failed.", code="sync.write_skipped"
            )
        return found

    def _with_ids(self, value: Any, *, refers: bool = False) -> Any:
        """Return a part of a body with real ids, where its name says that it is an id."""
        if isinstance(value, dict):
            return {
                name: part if name in _TEXTS else self._with_ids(part, refers=name.endswith(_REFERENCES))
                for name, part in value.items()
            }
        if isinstance(value, list):
            return [self._with_ids(part, refers=refers) for part in value]
        return self._real(value) if refers and isinstance(value, str) else value


def _unfinished(detail: str) -> Unavailable:
    return Unavailable(detail, code="sync.writes_unfinished")


def _is_unsettled(found: Mapping[str, Any]) -> bool:
    """Return whether a result is no answer to its write, which the client sends again."""
    status, problem = found["status"], found["problem"] or {}
    return status >= 500 or status in _UNSETTLED or problem.get("code") == "idempotency.in_progress"


def _object_path(write: Write) -> str:
    """Return the path of the object that a write changes."""
    return next((write.path.removesuffix(end) for end in _OF_OBJECT if write.path.endswith(end)), write.path)


def _revised(write: Write) -> str:
    """Return the path of the object whose revision a write changes."""
    path = _object_path(write)
    return next((path.removesuffix(end) for end in (*_OF_PROJECT, _RESTORED) if path.endswith(end)), path)


def _once(write: Write, *, merged: bool = False) -> Response:
    return once_by(write.mutation_id, lambda: _carried_out(write, merged=merged), write.content)


def _carried_out(write: Write, *, merged: bool) -> Response:
    response = dispatch(write, write.method)
    if merged:
        response.headers[MERGED] = "true"  # kept with the response: a repetition has to know it
    return response


def _merged(write: Write, base: dict[str, Any]) -> dict[str, Any]:
    """Carry out a write on the present revision. Raises PreconditionFailed when others have changed its fields."""
    for _ in range(_MAX_MERGES):
        present = _present(write)
        if present is None or not _is_untouched(write.body, base, present):
            break
        try:
            return _done(_once(replace(write, if_revision=present["revision"]), merged=True))
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
        found = orjson.loads(dispatch(asked, "GET").get_data())
    except (TaskManagerError, HTTPException):
        return None
    return found if isinstance(found, dict) else None


def _done(response: Response) -> dict[str, Any]:
    body, headers = response.get_data(), response.headers
    found = {"status": response.status_code, "body": orjson.loads(body) if body else None, "problem": None}
    return found | {"merged": MERGED in headers, "replayed": REPLAYED in headers}


def _refused(error: Exception) -> dict[str, Any]:
    """Return the result of a write that was refused, or that the service could not carry out."""
    response = current_app.make_response(current_app.handle_user_exception(error))
    status = response.status_code if response.status_code >= 400 else 404
    return {"status": status, "body": None, "problem": orjson.loads(response.get_data() or b"null")}
