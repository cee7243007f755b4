"""Values of tasks that their project defines: labels and custom fields."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import DAY
from taskmanager.core.errors import Invalid
from taskmanager.core.security.access import Actor
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import CustomField, Label, name_key

_MAX_TEXT_CHARACTERS = 2000
_MAX_NUMBER = 10**15
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def check_references(project_id: ObjectId, data_of_tasks: Sequence[dict[str, Any]], *, actor: Actor) -> None:
    """Raise Invalid when the data of a task refers to a user, label or custom field that the project does not have.

    That the actor is a member is known from their rights, so it needs no query.
    """
    assignee_ids = {user_id for data in data_of_tasks for user_id in data.get("assignee_ids", [])}
    if actor.role_in(project_id):
        assignee_ids.discard(actor.account_id)
    if assignee_ids and not members.are_members(project_id, list(assignee_ids)):
        raise Invalid("body.assignee_ids", "Only members of the project can be assigned.", code="task.not_a_member")
    check_labels(project_id, {label_id for data in data_of_tasks for label_id in data.get("label_ids", [])})
    check_values(project_id, [data.get("custom_fields") or {} for data in data_of_tasks])


def merged(values: dict[str, Any], changes: dict[str, Any] | None) -> dict[str, Any]:
    """Return `values` with a JSON Merge Patch (RFC 7396) applied: absent keys stay, None removes."""
    if changes is None:
        return {}
    return {key: value for key, value in (values | changes).items() if value is not None}


def check_labels(project_id: ObjectId, label_ids: Iterable[ObjectId]) -> None:
    """Raise Invalid (`task.label_unknown`) unless all ids are labels of the project."""
    wanted = set(label_ids)
    if wanted and Label.objects(project_id=project_id, id__in=wanted).count() < len(wanted):
        raise Invalid("body.label_ids", "The project has no such label.", code="task.label_unknown")


def label_ids_by_name(names: Iterable[str], project_ids: Iterable[ObjectId]) -> dict[str, list[ObjectId]]:
    """Return the ids of the labels with these names, ignoring case, in some projects: {name key: ids}."""
    found: dict[str, list[ObjectId]] = {}
    keys = {name_key(name) for name in names}
    rows = Label.objects(project_id__in=list(project_ids), name_key__in=list(keys)) if keys else ()
    for label in rows:
        found.setdefault(label.name_key, []).append(label.id)
    return found


def check_values(project_id: ObjectId, values_of_tasks: list[dict[str, Any]]) -> None:
    """Raise Invalid unless each value is None or valid for the project's custom field with this key.

    `values_of_tasks` has {key: value} for each task. Takes at most two queries.
    Codes: `task.custom_field_unknown`, `task.custom_field_invalid`.
    """
    given = [{key: value for key, value in values.items() if value is not None} for values in values_of_tasks]
    check = _Checks(project_id, given)
    for key, value in (pair for values in given for pair in values.items()):
        if problem := check.problem(key, value):
            raise Invalid(f"body.custom_fields.{key}", problem[0], code=problem[1])


def valid_custom_fields(project_id: ObjectId, values_of_tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those of the custom fields of each task that are valid in a project, by at most two queries.

    `values_of_tasks` has {key: value} for each task.
    """
    check = _Checks(project_id, values_of_tasks)
    return [
        {key: value for key, value in values.items() if not check.problem(key, value)} for values in values_of_tasks
    ]


class _Checks:
    """Checks of values: loads the project's custom fields with their keys, and the members that they refer to."""

    def __init__(self, project_id: ObjectId, values_of_tasks: list[dict[str, Any]]) -> None:
        keys = {key for values in values_of_tasks for key in values}
        known = CustomField.objects(project_id=project_id, key__in=list(keys)) if keys else ()
        self._fields = {field.key: field for field in known}
        of_users = {key for key, field in self._fields.items() if field.type == "user"}
        named = {_id(values[key]) for values in values_of_tasks for key in of_users & values.keys()}
        self._members = set(members.member_ids_among(project_id, [user_id for user_id in named if user_id]))

    def problem(self, key: str, value: object) -> tuple[str, str] | None:
        """Return the detail and the code of the error in a value; None when it is valid."""
        field = self._fields.get(key)
        if field is None:
            return "The project has no such custom field.", "task.custom_field_unknown"
        if field.type == "user":
            problem = None if _id(value) in self._members else "Must be the id of a member of the project."
        else:
            problem = _CHECKS[field.type](field, value)
        return (problem, "task.custom_field_invalid") if problem else None


def _id(value: object) -> ObjectId | None:
    return ObjectId(value) if isinstance(value, str) and ObjectId.is_valid(value) else None


def _text(field: CustomField, value: object) -> str | None:
    valid = isinstance(value, str) and len(value) <= _MAX_TEXT_CHARACTERS and not _CONTROLS.search(value)
    return None if valid else f"Must be text of at most {_MAX_TEXT_CHARACTERS:,} characters."


def _number(field: CustomField, value: object) -> str | None:
    valid = isinstance(value, int | float) and not isinstance(value, bool) and -_MAX_NUMBER <= value <= _MAX_NUMBER
    return None if valid else "Must be a number."


def _date(field: CustomField, value: object) -> str | None:
    return None if isinstance(value, str) and re.fullmatch(DAY, value) else "Must be a day, such as 2026-12-01."


def _select(field: CustomField, value: object) -> str | None:
    return None if value in field.options else f"Must be one of: {', '.join(field.options)}."


def _checkbox(field: CustomField, value: object) -> str | None:
    return None if isinstance(value, bool) else "Must be true or false."


_CHECKS = {"text": _text, "number": _number, "date": _date, "select": _select, "checkbox": _checkbox}
