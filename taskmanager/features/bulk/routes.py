"""Route of bulk requests."""

from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import marshmallow as ma
import orjson
from bson import ObjectId
from flask import Response
from marshmallow import fields, validate

from taskmanager.core.configuration import settings
from taskmanager.core.errors import TaskManagerError
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import MAX_CHARACTERS, FilterError
from taskmanager.core.security.access import Actor
from taskmanager.features.bulk import service as bulk
from taskmanager.features.bulk.service import Operation
from taskmanager.features.tasks.filtering.budgets import expensive
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.schemas import LISTED_TASK, TaskIn, TaskOut, TaskPatch
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.errors import InvalidRequest, KeyReused, problem_body, status_of
from taskmanager.web.idempotency import InProgress, once
from taskmanager.web.openapi.problems import Problem
from taskmanager.web.openapi.variants import Variant
from taskmanager.web.pagination import Total
from taskmanager.web.schemas import MAX_REVISION, Flag, Form, Id, Json, Schema, WholeNumber

blp = Blueprint("bulk", __name__, scope="tasks", description="Many operations on tasks in one request")

_WORD = "[A-Za-z0-9_-]{1,40}"
_REFERENCE = {"description": "An id, or `temp:` and the `temp_id` of an earlier operation", "example": "temp:a"}
_STATUSES = {"create": 201, "delete": 204}
_BODIES: dict[str, type[Schema]] = {"create": TaskIn, "update": TaskPatch}


class OperationIn(Schema):
    """One operation. `create` needs project_id and task, `update` task; all but `create` need task_id or filter."""

    documented = {"example": {"op": "create", "project_id": "65f1c0ffee0123456789b001", "task": {"title": "Pay rent"}}}
    discriminator = "op"
    variants = (
        Variant(
            "CreateOperation",
            ("op", "project_id", "task"),
            without=("task_id", "revision", "filter", "expect"),
            fixed="create",
            members={"task": "TaskIn"},
        ),
        Variant("UpdateOperation", ("op", "task"), without=("temp_id",), fixed="update", members={"task": "TaskPatch"}),
        *(
            Variant(f"{kind.title()}Operation", ("op",), without=("temp_id", "task"), fixed=kind)
            for kind in ("complete", "reopen", "delete")
        ),
    )

    op = fields.String(
        required=True,
        validate=validate.OneOf(("create", "update", "complete", "reopen", "delete")),
        metadata={"example": "create"},
    )
    temp_id = Form(f"^{_WORD}$", "Letters, digits, - and _.", metadata={"example": "a"})
    project_id = Id(metadata={"description": "The project of the new task, or of the filter"})
    task_id = Form(f"^(?:[0-9a-f]{{24}}|temp:{_WORD})$", "Neither an id nor temp:….", metadata=_REFERENCE)
    revision = WholeNumber(
        validate=validate.Range(1, MAX_REVISION), metadata={"description": "The revision on which the change is based"}
    )
    filter = fields.String(
        validate=validate.Length(1, MAX_CHARACTERS),
        metadata={"description": "Instead of task_id", "example": "label = bug"},
    )
    expect = WholeNumber(
        validate=validate.Range(0, bulk.MAX_TASKS),
        metadata={
            "description": "The number of tasks that the filter must match; otherwise 409, and nothing is changed",
            "example": 3,
        },
    )
    task = Json(metadata={"description": "The body of the single request", "example": {"title": "Pay rent"}})

    @ma.validates_schema
    def whole(self, data: dict[str, Any], **_: object) -> None:
        named = {"task_id", "filter"} & data.keys()
        if data["op"] == "create":
            _require({"project_id", "task"} <= data.keys() and not named, "create needs project_id and task.")
        else:
            _require(len(named) == 1, "Give either task_id or filter.")
            _require("temp_id" not in data, "Only create has a temp_id.")
            _require(("task" in data) == (data["op"] == "update"), "update needs task; no other operation has it.")
        _require("expect" not in data or "filter" in data, "expect needs a filter.")
        _require("revision" not in data or "task_id" in data, "revision needs a task_id.")


class BulkIn(Schema):
    """The operations of a bulk request."""

    mode = fields.String(
        load_default="all_or_nothing",
        validate=validate.OneOf(("all_or_nothing", "each")),
        metadata={"description": "`each`: an operation that fails leaves the others", "example": "all_or_nothing"},
    )
    dry_run = Flag(
        load_default=False,
        metadata={"description": "Only count the tasks of each operation; nothing is changed"},
    )
    operations = fields.List(fields.Nested(OperationIn), required=True, validate=validate.Length(1, bulk.MAX_TASKS))


class Result(Schema):
    """The result of an operation. An operation with a filter has a result for each task."""

    index = fields.Integer(required=True)
    status = fields.Integer(required=True, metadata={"description": "The status of the single request"})
    temp_id = fields.String()
    task = fields.Nested(TaskOut, allow_none=True)
    problem = fields.Nested(Problem, allow_none=True)
    count = Total("Only with `dry_run`: the number of tasks of the operation")


class BulkOut(Schema):
    """The results of the operations, in their order."""

    results = fields.List(fields.Nested(Result), required=True)
    dry_run = fields.Boolean(metadata={"description": "True after a request with `dry_run`: nothing was changed"})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ma.ValidationError(message)


@blp.route("/tasks/bulk", methods=["POST"], idempotent="itself", problems=(404, 412))
@blp.arguments(BulkIn)
@blp.response(200, BulkOut)
@expensive
def run_bulk_operations(data: dict[str, Any]) -> Response:
    """Create, change, complete, reopen and delete up to 100 tasks

    `all_or_nothing` is one transaction: the first operation that fails ends it, and the problem has its `index`. With
    `each` every operation is a transaction of its own and has its own status in `results`. With an Idempotency-Key each
    operation has its effect once, also when the request is repeated after a part of it was done, and a filter matches
    the tasks of the first request. After 10 seconds no further operation begins: the remaining ones have the status 503
    `bulk.unfinished`, and the same request with the same key continues with them.

    With `dry_run` nothing is changed: each result has the `count` of the tasks of the operation. An operation with a
    filter and `expect` runs only if the filter matches that many tasks, otherwise 409 `bulk.unexpected_count` with the
    `count`.
    """
    operations = _operations(data["operations"])
    if data["dry_run"]:
        return _counted(operations, [given.get("temp_id") for given in data["operations"]])
    run = _all if data["mode"] == "all_or_nothing" else _each
    return run(operations, [given.get("temp_id") for given in data["operations"]])


def _counted(operations: list[Operation], temp_ids: list[str | None]) -> Response:
    counts = bulk.count_each(operations, actor=current_actor())
    results = [
        _labelled(operation, temp_ids) | {"status": 200, "task": None, "problem": None, "count": count}
        for operation, count in zip(operations, counts, strict=True)
    ]
    return answers.data({"dry_run": True, "results": results})


def _all(operations: list[Operation], temp_ids: list[str | None]) -> Response:
    request = bulk.AllOrNothing(operations)

    def run() -> Response:
        done = request.run(current_actor())
        return answers.data({"results": [_result(operation, _dumped(task), temp_ids) for operation, task in done]})

    return once(run, seconds=bulk.MAX_SECONDS)


def _each(operations: list[Operation], temp_ids: list[str | None]) -> Response:
    actor, results = current_actor(), []
    ids: bulk.Ids = {}
    until = monotonic() + settings.current().time_limit(bulk.MAX_EACH_SECONDS)
    for operation in bulk.expand_filters(operations, actor, _found_once, until):
        try:
            task = _run_once(operation, operation.resolved(ids), actor)
        except (KeyReused, InProgress):
            raise
        except TaskManagerError as error:
            bulk.add_index(error, operation.index)
            results.append(_failure(operation, error, temp_ids))
            continue
        if operation.placeholder and task:
            ids[operation.placeholder] = ObjectId(task["id"])
        results.append(_result(operation, task, temp_ids))
    return answers.data({"results": results})


def _found_once(operation: Operation, find: Callable[[], list[ObjectId]]) -> list[ObjectId]:
    """Return the ids of the tasks of a filter; a repeated request with the same Idempotency-Key gets the same ids."""
    response = once(lambda: answers.data(list(map(str, find()))), suffix=f"{operation.index}.found")
    return list(map(ObjectId, orjson.loads(response.get_data())))


def _run_once(operation: Operation, resolved: Operation, actor: Actor) -> dict[str, Any] | None:
    """Run an operation once for its task and this Idempotency-Key, and return the task; None after `delete`."""
    if operation.failure:
        raise operation.failure
    response = once(lambda: answers.data(_dumped(resolved.run(actor))), suffix=f"{operation.index}.{operation.task_id}")
    return orjson.loads(response.get_data())


def _dumped(task: Task | None) -> dict[str, Any] | None:
    return task and LISTED_TASK(task.as_row())


def _result(operation: Operation, task: Mapping[str, Any] | None, temp_ids: list[str | None]) -> dict[str, Any]:
    status = _STATUSES.get(operation.kind, 200)
    return _labelled(operation, temp_ids) | {"status": status, "task": task, "problem": None}


def _failure(operation: Operation, error: TaskManagerError, temp_ids: list[str | None]) -> dict[str, Any]:
    status = status_of(error)
    if status >= 500 and not isinstance(error, bulk.Unfinished):
        raise error
    problem = problem_body(status, code=error.code, detail=error.detail, **error.extra)
    return _labelled(operation, temp_ids) | {"status": status, "task": None, "problem": problem}


def _labelled(operation: Operation, temp_ids: list[str | None]) -> dict[str, Any]:
    temp_id = temp_ids[operation.index]
    return {"index": operation.index} | ({"temp_id": temp_id} if temp_id else {})


def _operations(given: list[dict[str, Any]]) -> list[Operation]:
    """Return the operations, each validated like the single request. Raises InvalidRequest with all errors."""
    known: dict[str, ObjectId] = {}
    found, problems = [], {}
    for index, item in enumerate(given):
        try:
            found.append(_operation(index, item, known))
        except ma.ValidationError as error:
            problems[index] = error.messages
        if temp_id := item.get("temp_id"):
            placeholder = found[-1].placeholder if found and found[-1].index == index else None
            known[temp_id] = placeholder or ObjectId()
    if problems:
        raise InvalidRequest({"json": {"operations": problems}})
    return found


def _operation(index: int, item: dict[str, Any], known: dict[str, ObjectId]) -> Operation:
    if item.get("temp_id") in known:
        raise ma.ValidationError({"temp_id": ["An earlier operation has the same temp_id."]})
    task_id = _task_id(item.get("task_id"), known, "task_id")
    data = _body(item, known)
    revision = item.get("revision")
    return Operation(
        index,
        item["op"],
        project_id=item.get("project_id"),
        task_id=task_id,
        placeholder=ObjectId() if item["op"] == "create" else None,
        data=data,
        if_match=None if revision is None else frozenset({revision}),
        condition=_condition(item.get("filter")),
        count=item.get("expect"),
    )


def _body(item: dict[str, Any], known: dict[str, ObjectId]) -> dict[str, Any] | None:
    if "task" not in item:
        return None
    body = item["task"]
    if str(body.get("parent_id", "")).startswith("temp:"):
        body = body | {"parent_id": str(_task_id(body["parent_id"], known, "task"))}
    try:
        return _BODIES[item["op"]]().load(body)
    except ma.ValidationError as error:
        raise ma.ValidationError({"task": error.messages}) from None


def _task_id(text: str | None, known: dict[str, ObjectId], field: str) -> ObjectId | None:
    if text is None or not text.startswith("temp:"):
        return None if text is None else ObjectId(text)
    if (found := known.get(text.removeprefix("temp:"))) is None:
        raise ma.ValidationError({field: ["No earlier operation has this temp_id."]})
    return found


def _condition(text: str | None) -> GivenFilter | None:
    if text is None:
        return None
    try:
        node = parse(text, FIELDS)
    except FilterError as error:
        raise ma.ValidationError({"filter": [str(error)]}) from None
    return GivenFilter(node, bulk.FILTER, everywhere=True)
