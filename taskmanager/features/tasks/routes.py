"""Routes of tasks."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks import expansions, listing, service as tasks
from taskmanager.features.tasks.expansions import EXPANSIONS
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.generation import generation_of
from taskmanager.features.tasks.schemas import TASK, CompletionQuery, TaskIn, TaskOut, TaskPatch, TaskRead
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match, revalidated
from taskmanager.web.pagination import PageRequest, item_query, list_query, page_of

blp = Blueprint("tasks", __name__, scope="tasks", description="Tasks")

# The orders of lists, each with an index (see the migration of the indexes of lists). Orders by a custom field have
# none: MongoDB sorts in memory.
ORDERS = {
    "created_at": "created_at",
    "updated_at": "updated_at",
    "due_at": "due_at",
    "priority": "priority",
    "position": "position",
    "title": "title",
    "key": "key_order",
    "due_at,priority": "due_at,priority",
    "priority,due_at": "priority,due_at",
}
_LIST = list_query(TASK, ORDERS, FIELDS, expand=EXPANSIONS)
_ONE = item_query(TASK, expand=EXPANSIONS)


@blp.route("/projects/<objectid:project_id>/tasks", methods=["POST"])
@blp.arguments(TaskIn)
@blp.response(201, TaskOut)
def create_task(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Create a task in a project

    Its assignees are notified, except you. Needs the role member.
    """
    task = tasks.create(project_id, data, actor=current_actor())
    return answers.created(task, TASK, f"/tasks/{task.id}")


@blp.route("/projects/<objectid:project_id>/tasks", replicas="lists")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(TaskRead, partial=True))
def list_project_tasks(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the tasks of a project

    Without a filter all tasks of the project that are not in the trash, done ones too.
    """
    return _listed(query, project_id)


@blp.route("/tasks", replicas="lists")
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(TaskRead, partial=True))
def list_tasks(query: dict[str, Any]) -> Response:
    """List all tasks that you may see

    Tasks of all projects that you are a member of. `filter=assignee = me and status = open` returns your own work.
    """
    return _listed(query)


@blp.route("/tasks/<objectid:task_id>")
@blp.arguments(_ONE, location="query")
@blp.response(200, TaskRead)
def get_task(query: dict[str, Any], task_id: ObjectId) -> Response:
    """Get one task

    404 when the task is in the trash or in a project that you do not see.
    """
    return _one(tasks.get(task_id, actor=current_actor(), fields=_stored(query)), query)


@blp.route("/tasks/by-key/<string:key>")
@blp.arguments(_ONE, location="query")
@blp.response(200, TaskRead)
def get_task_by_key(query: dict[str, Any], key: str) -> Response:
    """Get one task by its key, such as APP-12

    Keys such as `APP-12` are what people write and say. A task that has moved is found by its former keys too.
    """
    return _one(tasks.get_by_key(key, actor=current_actor(), fields=_stored(query)), query)


@blp.route("/tasks/<objectid:task_id>", methods=["PATCH"])
@blp.arguments(TaskPatch, content_type="application/merge-patch+json")
@blp.response(200, TaskOut)
def update_task(changes: dict[str, Any], task_id: ObjectId) -> Response:
    """Change a task

    JSON Merge Patch: absent fields stay, null clears. New assignees are notified, except you.
    """
    return answers.resource(tasks.update(task_id, changes, if_match=if_match(), actor=current_actor()), TASK)


@blp.route("/tasks/<objectid:task_id>", methods=["DELETE"])
@blp.response(204)
def delete_task(task_id: ObjectId) -> Response:
    """Put a task and its subtasks into the trash

    They can be restored until they are purged.
    """
    tasks.delete(task_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route("/tasks/<objectid:task_id>/completion", methods=["PUT"])
@blp.arguments(CompletionQuery, location="query")
@blp.response(200, TaskOut)
def complete_task(query: dict[str, Any], task_id: ObjectId) -> Response:
    """Mark a task as done

    A task that is done stays as it is. 409 `task.blocked` with `blockers` while open tasks block it; an owner may force
    the completion.
    """
    return answers.resource(tasks.complete(task_id, **query, if_match=if_match(), actor=current_actor()), TASK)


@blp.route("/tasks/<objectid:task_id>/completion", methods=["DELETE"])
@blp.response(200, TaskOut)
def reopen_task(task_id: ObjectId) -> Response:
    """Reopen a task that is done

    The task gets the first open status of the workflow. Nothing happens to a task that is open.
    """
    return answers.resource(tasks.reopen(task_id, if_match=if_match(), actor=current_actor()), TASK)


def _stored(query: dict[str, Any]) -> list[str]:
    return [*TASK.stored(query.get("fields")), *expansions.source_fields(query["expand"])]


def _one(row: Row, query: dict[str, Any]) -> Response:
    embedded = expansions.expand([row], query["expand"], current_actor())[0]
    return answers.resource(row, TASK, query, embedded=embedded)


def _listed(query: dict[str, Any], project_id: ObjectId | None = None) -> Response:
    actor, condition, names = current_actor(), query.get("filter"), query["expand"]

    def answer() -> Response:
        found = listing.visible(actor, project_id=project_id, condition=condition)
        return page_of_tasks(PageRequest.of(query), names, found)

    # what is embedded, such as names of people, changes without the tasks
    return revalidated(lambda: None if names else generation_of(actor, project_id, condition), answer)


def page_of_tasks(part: PageRequest, names: tuple[str, ...], found: listing.VisibleTasks) -> Response:
    """Return a page of tasks with the expansions `names`; it ends early, so that it embeds at most MAX_EMBEDDED ids."""
    page = found.page(**part.page_of(TASK, *expansions.source_fields(names)))
    embedded = None
    if names:
        page = page.first(expansions.fitting(page.rows, names), part.order)
        embedded = expansions.expand(page.rows, names, current_actor())
    total = part.with_total and found.total()
    return answers.collection(page, TASK, part, total=total, embedded=embedded)
