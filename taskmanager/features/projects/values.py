"""What tasks say in the terms of their project: its labels and its custom fields."""

import re
from collections.abc import Iterable
from typing import Any

from bson import ObjectId

from taskmanager.core.clock import DAY
from taskmanager.core.errors import Invalid
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import CustomField, Label, name_key

_LONGEST_TEXT = 2000
_LARGEST = 10**15
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def check_labels(project_id: ObjectId, label_ids: Iterable[ObjectId]) -> None:
    """Raise Invalid (`task.label_unknown`) unless all are labels of the project."""
    wanted = set(label_ids)
    if wanted and Label.objects(project_id=project_id, id__in=wanted).count() < len(wanted):
        raise Invalid("body.label_ids", "The project has no such label.", code="task.label_unknown")


def labels_called(names: Iterable[str], project_ids: Iterable[ObjectId]) -> dict[str, list[ObjectId]]:
    """The ids of the labels with these names, whatever the case, in some projects: {key of the name: ids}."""
    found: dict[str, list[ObjectId]] = {}
    keys = {name_key(name) for name in names}
    rows = Label.objects(project_id__in=list(project_ids), name_key__in=list(keys)) if keys else ()
    for label in rows:
        found.setdefault(label.name_key, []).append(label.id)
    return found


def check_values(project_id: ObjectId, values: dict[str, Any]) -> None:
    """Raise Invalid unless each value is one that the project's custom field of this key can have, or None."""
    given = {key: value for key, value in values.items() if value is not None}
    known = CustomField.objects(project_id=project_id, key__in=list(given)) if given else ()
    fields = {field.key: field for field in known}
    for key, value in given.items():
        place = f"body.custom_fields.{key}"
        if key not in fields:
            raise Invalid(place, "The project has no such custom field.", code="task.custom_field_unknown")
        problem = _CHECKS[fields[key].type](fields[key], value)
        if problem:
            raise Invalid(place, problem, code="task.custom_field_invalid")


def _text(field: CustomField, value: Any) -> str | None:
    good = isinstance(value, str) and len(value) <= _LONGEST_TEXT and not _CONTROLS.search(value)
    return None if good else f"Must be text of at most {_LONGEST_TEXT:,} characters."


def _number(field: CustomField, value: Any) -> str | None:
    good = isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST <= value <= _LARGEST
    return None if good else "Must be a number."


def _date(field: CustomField, value: Any) -> str | None:
    return None if isinstance(value, str) and re.fullmatch(DAY, value) else "Must be a day, such as 2026-12-01."


def _select(field: CustomField, value: Any) -> str | None:
    return None if value in field.options else f"Must be one of: {', '.join(field.options)}."


def _user(field: CustomField, value: Any) -> str | None:
    known = isinstance(value, str) and ObjectId.is_valid(value)
    good = known and members.are_members(field.project_id, [ObjectId(value)])
    return None if good else "Must be the id of a member of the project."


def _checkbox(field: CustomField, value: Any) -> str | None:
    return None if isinstance(value, bool) else "Must be true or false."


_CHECKS = {"text": _text, "number": _number, "date": _date, "select": _select, "user": _user, "checkbox": _checkbox}
