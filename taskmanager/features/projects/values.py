"""What tasks say in the terms of their project: its labels and its custom fields."""

import re
from collections.abc import Iterable
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import DAY
from taskmanager.core.errors import Invalid
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import CustomField, Label, name_key

_MAX_TEXT_CHARACTERS = 2000
_MAX_NUMBER = 10**15
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def check_labels(project_id: ObjectId, label_ids: Iterable[ObjectId]) -> None:
    """Raise Invalid (`task.label_unknown`) unless all are labels of the project."""
    wanted = set(label_ids)
    if wanted and Label.objects(project_id=project_id, id__in=wanted).count() < len(wanted):
        raise Invalid("body.label_ids", "The project has no such label.", code="task.label_unknown")


def labels_called(names: Iterable[str], project_ids: Iterable[ObjectId]) -> dict[str, list[ObjectId]]:
    """Return the ids of the labels with these names, whatever the case, in some projects: {key of the name: ids}."""
    found: dict[str, list[ObjectId]] = {}
    keys = {name_key(name) for name in names}
    rows = Label.objects(project_id__in=list(project_ids), name_key__in=list(keys)) if keys else ()
    for label in rows:
        found.setdefault(label.name_key, []).append(label.id)
    return found


def check_values(project_id: ObjectId, values: dict[str, Any]) -> None:
    """Raise Invalid unless each value is one that the project's custom field of this key can have, or None."""
    given = {key: value for key, value in values.items() if value is not None}
    check = _Checks(project_id, [given])
    for key, value in given.items():
        if problem := check.problem(key, value):
            raise Invalid(f"body.custom_fields.{key}", problem[0], code=problem[1])


def fitting(project_id: ObjectId, several: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return of the custom fields of each of several tasks those that they can have in a project.

    At most two commands, however many tasks there are.
    """
    check = _Checks(project_id, several)
    return [{key: value for key, value in values.items() if not check.problem(key, value)} for values in several]


class _Checks:
    """The custom fields of a project that have the keys of some values, and the members that the values name."""

    def __init__(self, project_id: ObjectId, several: list[dict[str, Any]]) -> None:
        keys = {key for values in several for key in values}
        known = CustomField.objects(project_id=project_id, key__in=list(keys)) if keys else ()
        self._fields = {field.key: field for field in known}
        of_users = {key for key, field in self._fields.items() if field.type == "user"}
        named = {_id(values[key]) for values in several for key in of_users & values.keys()}
        self._members = set(members.member_ids_among(project_id, [one for one in named if one]))

    def problem(self, key: str, value: Any) -> tuple[str, str] | None:
        """Return what is wrong with a value, and the code of the error; None for one that fits."""
        field = self._fields.get(key)
        if field is None:
            return "The project has no such custom field.", "task.custom_field_unknown"
        if field.type == "user":
            problem = None if _id(value) in self._members else "Must be the id of a member of the project."
        else:
            problem = _CHECKS[field.type](field, value)
        return (problem, "task.custom_field_invalid") if problem else None


def _id(value: Any) -> ObjectId | None:
    return ObjectId(value) if isinstance(value, str) and ObjectId.is_valid(value) else None


def _text(field: CustomField, value: Any) -> str | None:
    good = isinstance(value, str) and len(value) <= _MAX_TEXT_CHARACTERS and not _CONTROLS.search(value)
    return None if good else f"Must be text of at most {_MAX_TEXT_CHARACTERS:,} characters."


def _number(field: CustomField, value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and -_MAX_NUMBER <= value <= _MAX_NUMBER
    return None if good else "Must be a number."


def _date(field: CustomField, value: Any) -> str | None:
    return None if isinstance(value, str) and re.fullmatch(DAY, value) else "Must be a day, such as 2026-12-01."


def _select(field: CustomField, value: Any) -> str | None:
    return None if value in field.options else f"Must be one of: {', '.join(field.options)}."


def _checkbox(field: CustomField, value: Any) -> str | None:
    return None if isinstance(value, bool) else "Must be true or false."


_CHECKS = {"text": _text, "number": _number, "date": _date, "select": _select, "checkbox": _checkbox}
