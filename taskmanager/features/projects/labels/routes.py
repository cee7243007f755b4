"""Routes of labels and custom fields."""

from typing import Any

from bson import ObjectId
from flask import Response

from taskmanager.features.projects.labels.schemas import (
    CUSTOM_FIELD,
    LABEL,
    CustomFieldIn,
    CustomFieldOut,
    CustomFieldPatch,
    LabelIn,
    LabelOut,
    LabelPatch,
)
from taskmanager.features.projects.labels.service import ProjectVocabulary, custom_fields, labels
from taskmanager.web import answers
from taskmanager.web.authentication.actors import current_actor
from taskmanager.web.blueprint import Blueprint
from taskmanager.web.conditional import if_match
from taskmanager.web.pagination import item_query, list_query, page_of
from taskmanager.web.serialisers import Serialiser

label_blp = Blueprint("labels", __name__, scope="projects", description="Labels of the tasks of a project")
field_blp = Blueprint(
    "custom fields",
    __name__,
    scope="projects",
    description="Fields that a project adds to its tasks",
)

_LABELS = "/projects/<objectid:project_id>/labels"
_FIELDS = "/projects/<objectid:project_id>/custom-fields"
_ORDERS = {"created_at": "created_at", "name": "name"}


@label_blp.route(_LABELS, methods=["POST"])
@label_blp.arguments(LabelIn)
@label_blp.response(201, LabelOut)
def create_label(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Make a label

    409 `label.taken` when the project has a label of this name, ignoring case. Needs the role member.
    """
    return _created(labels, LABEL, data, project_id, "labels")


@label_blp.route(_LABELS)
@label_blp.arguments(list_query(LABEL, _ORDERS), location="query")
@label_blp.response(200, page_of(LabelOut))
def list_labels(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the labels of a project

    The oldest first; `sort=name` is the other order. Labels belong to one project.
    """
    return answers.listing(query, LABEL, labels.visible(project_id, current_actor()))


@label_blp.route(f"{_LABELS}/<objectid:label_id>")
@label_blp.arguments(item_query(LABEL), location="query")
@label_blp.response(200, LabelOut)
def get_label(query: dict[str, Any], project_id: ObjectId, label_id: ObjectId) -> Response:
    """Get one label

    404 also for a label of another project.
    """
    return answers.resource(labels.get(project_id, label_id, actor=current_actor()), LABEL, query)


@label_blp.route(f"{_LABELS}/<objectid:label_id>", methods=["PATCH"])
@label_blp.arguments(LabelPatch, content_type="application/merge-patch+json")
@label_blp.response(200, LabelOut)
def update_label(changes: dict[str, Any], project_id: ObjectId, label_id: ObjectId) -> Response:
    """Change a label

    Needs the role member.
    """
    label = labels.update(project_id, label_id, changes, if_match=if_match(), actor=current_actor())
    return answers.resource(label, LABEL)


@label_blp.route(f"{_LABELS}/<objectid:label_id>", methods=["DELETE"])
@label_blp.response(204)
def delete_label(project_id: ObjectId, label_id: ObjectId) -> Response:
    """Delete a label

    A job removes it from the tasks soon after. Needs the role member.
    """
    labels.delete(project_id, label_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


@field_blp.route(_FIELDS, methods=["POST"])
@field_blp.arguments(CustomFieldIn)
@field_blp.response(201, CustomFieldOut)
def create_custom_field(data: dict[str, Any], project_id: ObjectId) -> Response:
    """Make a custom field

    Tasks then have it in `custom_fields`, and lists can be filtered and sorted by `custom_fields.<key>`.
    409 `custom_field.taken` when the project has a custom field with this key. Needs the role manager.
    """
    return _created(custom_fields, CUSTOM_FIELD, data, project_id, "custom-fields")


@field_blp.route(_FIELDS)
@field_blp.arguments(list_query(CUSTOM_FIELD, _ORDERS), location="query")
@field_blp.response(200, page_of(CustomFieldOut))
def list_custom_fields(query: dict[str, Any], project_id: ObjectId) -> Response:
    """List the custom fields of a project

    The oldest first. A task has their values in `custom_fields`, by the keys of the fields.
    """
    return answers.listing(query, CUSTOM_FIELD, custom_fields.visible(project_id, current_actor()))


@field_blp.route(f"{_FIELDS}/<objectid:field_id>")
@field_blp.arguments(item_query(CUSTOM_FIELD), location="query")
@field_blp.response(200, CustomFieldOut)
def get_custom_field(query: dict[str, Any], project_id: ObjectId, field_id: ObjectId) -> Response:
    """Get one custom field

    404 also for a field of another project.
    """
    return answers.resource(custom_fields.get(project_id, field_id, actor=current_actor()), CUSTOM_FIELD, query)


@field_blp.route(f"{_FIELDS}/<objectid:field_id>", methods=["PATCH"])
@field_blp.arguments(CustomFieldPatch, content_type="application/merge-patch+json")
@field_blp.response(200, CustomFieldOut)
def update_custom_field(changes: dict[str, Any], project_id: ObjectId, field_id: ObjectId) -> Response:
    """Change a custom field

    Its key and type stay; tasks keep values that are no longer options. Needs the role manager.
    """
    field = custom_fields.update(project_id, field_id, changes, if_match=if_match(), actor=current_actor())
    return answers.resource(field, CUSTOM_FIELD)


@field_blp.route(f"{_FIELDS}/<objectid:field_id>", methods=["DELETE"])
@field_blp.response(204)
def delete_custom_field(project_id: ObjectId, field_id: ObjectId) -> Response:
    """Delete a custom field

    A job removes its values from the tasks soon after. Needs the role manager.
    """
    custom_fields.delete(project_id, field_id, if_match=if_match(), actor=current_actor())
    return answers.nothing()


def _created(
    kind: ProjectVocabulary[Any], serialiser: Serialiser, data: dict[str, Any], project_id: ObjectId, segment: str
) -> Response:
    item = kind.create(project_id, data, actor=current_actor())
    return answers.created(item, serialiser, f"/projects/{project_id}/{segment}/{item.id}")
