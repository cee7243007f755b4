"""Routes of saved views, in a project and over all projects."""

from typing import Any

import marshmallow as ma
from bson import ObjectId
from flask import Response
from marshmallow import fields

from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import MAX_CHARACTERS, FilterError
from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.expansions import EXPANSIONS
from taskmanager.features.tasks.filtering import stored as stored_filters
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.routes import ORDERS, page_of_tasks
from taskmanager.features.tasks.schemas import TASK, TaskRead
from taskmanager.features.views import service as views
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import (
    ExpandParameter,
    FieldsParameter,
    ListQuery,
    PageRequest,
    SortParameter,
    item_query,
    list_query,
    page_of,
)
from taskmanager.web.schemas import Flag, Id, Instant, Line, Schema
from taskmanager.web.serialisers import Serialiser

blp = Blueprint("views", __name__, scope="tasks", description="Named filters and orders of tasks")

_NAME = {"example": "Mine this week"}
_FILTER = {
    "description": "A filter, as in lists of tasks",
    "example": "assignee = me and due_at = now/w",
    "maxLength": MAX_CHARACTERS,
}
_SORT = SortParameter(ORDERS, "custom_fields")
PROBLEM = {
    "description": "Why the filter is invalid: the name that does not exist any more, with its column",
    "example": None,
}
_SHARED = {"description": "Whether all members of the project see the view"}


class StoredFilter(fields.String):
    """A filter that is validated, and stored as text."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            parse(text, FIELDS)
        except FilterError as error:
            raise ma.ValidationError(str(error)) from None
        return text


class StoredSort(fields.String):
    """An order that is validated, and stored as text."""

    documented = _SORT.documented

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        _SORT.deserialize(value)
        return str(value)


class ViewIn(Schema):
    """A new view."""

    name = Line(most=100, required=True, metadata=_NAME)
    filter = StoredFilter(allow_none=True, metadata=_FILTER)
    sort = StoredSort(load_default="created_at")
    shared = Flag(load_default=False, metadata=_SHARED)


class ViewPatch(Schema):
    """Changes of a view."""

    name = Line(most=100, metadata=_NAME)
    filter = StoredFilter(allow_none=True, metadata=_FILTER)
    sort = StoredSort()
    shared = Flag(metadata=_SHARED)


class ViewOut(Schema):
    """A saved view."""

    id = Id(attribute="_id", required=True)
    project_id = Id(required=True, allow_none=True)
    owner_id = Id(required=True)
    name = Line(most=100, required=True, metadata=_NAME)
    filter = fields.String(
        required=True,
        allow_none=True,
        metadata=_FILTER | {"description": "With the current names of labels; may be longer than a request allows"},
    )
    filter_problem = fields.String(required=True, allow_none=True, metadata=PROBLEM)
    sort = fields.String(required=True, metadata={"example": "-due_at"})
    shared = fields.Boolean(required=True, metadata=_SHARED)
    revision = fields.Integer(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class ViewedQuery(ListQuery):
    """Query parameters of the tasks of a view; the view has the filter and the order."""

    fields = FieldsParameter(TASK)  # type: ignore[assignment]  # marshmallow takes it from the class, see SchemaMeta
    expand = ExpandParameter(EXPANSIONS)


VIEW = Serialiser(ViewOut)
_LIST, _ONE = list_query(VIEW, {"created_at": "created_at", "name": "name"}), item_query(VIEW)
_OWN, _IN_PROJECT = "/views", "/projects/<objectid:project_id>/views"


@blp.route(_OWN, methods=["POST"])
@blp.arguments(ViewIn)
@blp.response(201, ViewOut)
def create_view(data: dict[str, Any]) -> Response:
    """Save a view over all your projects

    Only you see it.
    """
    return _create(None, data)


@blp.route(_IN_PROJECT, methods=["POST"])
@blp.arguments(ViewIn)
@blp.response(201, ViewOut)
def create_project_view(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Save a view of a project

    Only you see it, unless it is shared. To share it needs the role member.
    """
    return _create(project_id, data)


@blp.route(_OWN)
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(ViewOut))
def list_views(query: dict[str, Any]) -> Response:
    """List your views over all projects

    Your own views over all projects.
    """
    return _list(None, query)


@blp.route(_IN_PROJECT)
@blp.arguments(_LIST, location="query")
@blp.response(200, page_of(ViewOut))
def list_project_views(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the views of a project: your own and the shared ones

    Your own views of the project, and those that other members share.
    """
    return _list(project_id, query)


@blp.route(f"{_OWN}/<objectid:view_id>")
@blp.arguments(_ONE, location="query")
@blp.response(200, ViewOut)
def get_view(query: dict[str, Any], view_id: ObjectId) -> Response:
    """Get one of your views

    404 for a view of another user, or of a project.
    """
    return _one(views.get(None, view_id, actor=current_actor()), query)


@blp.route(f"{_IN_PROJECT}/<objectid:view_id>")
@blp.arguments(_ONE, location="query")
@blp.response(200, ViewOut)
def get_project_view(query: dict[str, Any], project_id: ObjectId, view_id: ObjectId) -> Response:
    """Get one view of a project

    Your own view of the project, or one that another member shares.
    """
    return _one(views.get(project_id, view_id, actor=current_actor()), query)


@blp.route(f"{_OWN}/<objectid:view_id>", methods=["PATCH"])
@blp.arguments(ViewPatch, content_type="application/merge-patch+json")
@blp.response(200, ViewOut)
def update_view(changes: dict[str, Any], view_id: ObjectId) -> Response:
    """Change one of your views

    JSON Merge Patch. Only the owner, and managers of its project, may.
    """
    return _update(None, view_id, changes)


@blp.route(f"{_IN_PROJECT}/<objectid:view_id>", methods=["PATCH"])
@blp.arguments(ViewPatch, content_type="application/merge-patch+json")
@blp.response(200, ViewOut)
def update_project_view(changes: dict[str, Any], project_id: ObjectId, view_id: ObjectId) -> Response:
    """Change a view of a project

    A shared view can be changed by its owner and by managers.
    """
    return _update(project_id, view_id, changes)


@blp.route(f"{_OWN}/<objectid:view_id>", methods=["DELETE"])
@blp.response(204)
def delete_view(view_id: ObjectId) -> Response:
    """Delete one of your views

    The tasks stay. Only the owner, and managers of its project, may.
    """
    views.delete(None, view_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route(f"{_IN_PROJECT}/<objectid:view_id>", methods=["DELETE"])
@blp.response(204)
def delete_project_view(project_id: ObjectId, view_id: ObjectId) -> Response:
    """Delete a view of a project

    A shared view can be deleted by its owner and by managers.
    """
    views.delete(project_id, view_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@blp.route(f"{_OWN}/<objectid:view_id>/tasks", replicas="lists")
@blp.arguments(ViewedQuery, location="query")
@blp.response(200, page_of(TaskRead, partial=True))
def list_view_tasks(query: dict[str, Any], view_id: ObjectId) -> Response:
    """List the tasks of one of your views

    Those that match the filter of the view, for you: `me` in it is the caller.
    """
    return _tasks(None, view_id, query)


@blp.route(f"{_IN_PROJECT}/<objectid:view_id>/tasks", replicas="lists")
@blp.arguments(ViewedQuery, location="query")
@blp.response(200, page_of(TaskRead, partial=True))
def list_project_view_tasks(query: dict[str, Any], project_id: ObjectId, view_id: ObjectId) -> Response:
    """List the tasks of a view of a project

    `me` and `today` in its filter refer to you.
    """
    return _tasks(project_id, view_id, query)


def _create(project_id: ObjectId | None, data: dict[str, Any]) -> Response:
    view = views.create(project_id, data, actor=current_actor())
    return answers.created(view, VIEW, f"/projects/{project_id}/views/{view.id}" if project_id else f"/views/{view.id}")


def _list(project_id: ObjectId | None, query: dict[str, Any]) -> Response:
    names = query.get("fields")
    return answers.listing(
        query,
        VIEW,
        views.visible(project_id, current_actor()),
        embed=lambda rows: [stored_filters.asked(row, names) for row in rows],
    )


def _update(project_id: ObjectId | None, view_id: ObjectId, changes: dict[str, Any]) -> Response:
    actor = current_actor()
    view = views.update(project_id, view_id, changes, if_match=if_match(), actor=actor)
    return _one(views.described(view.as_row(), actor))


def _one(row: Row, query: dict[str, Any] | None = None) -> Response:
    return answers.resource(row, VIEW, query, embedded=stored_filters.asked(row, query and query.get("fields")))


def _tasks(project_id: ObjectId | None, view_id: ObjectId, query: dict[str, Any]) -> Response:
    view = views.get(project_id, view_id, actor=current_actor())
    part = PageRequest.of(query, order=_SORT.order(view["sort"]), bound=str(view["revision"]))
    found = listing.visible(current_actor(), project_id=project_id, condition=views.condition(view))
    return page_of_tasks(part, query["expand"], found)
