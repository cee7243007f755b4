"""Lookups of the names in filters: labels, statuses, members, projects, custom fields."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Invalid
from taskmanager.core.filters.binding import TOO_WIDE, Known, look_up, meanings
from taskmanager.core.filters.nodes import Context, GivenFilter
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter, Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.features.projects.models import CustomField, Label, Membership, Project
from taskmanager.features.projects.workflow import DEFAULT

MAX_LABELS, MAX_FIELDS = 10_000, 3_000  # that the names of one filter may match, over all projects
_DEFAULT_STATUSES = frozenset(status["key"] for status in DEFAULT)


def bind(given: GivenFilter, actor: Actor) -> Filter:
    """Return the query of a filter on projects. Raises Invalid for a name that does not resolve."""
    try:
        known = look_up({"project": lambda keys: projects(keys, actor)}, [given])
        named = meanings(given.node, known, references=given.references)
    except FilterError as error:
        raise Invalid(given.location, str(error), code=error.code) from None
    return given.node.query(Context.of(actor, named))


def projects(keys: Collection[ObjectId], actor: Actor) -> dict[ObjectId, Known]:
    """Return those of these projects that the actor is a member of."""
    return {key: Known(key) for key in keys if actor.role_in(key)}


def labels(keys: Collection[str | ObjectId], scope: Collection[ObjectId]) -> dict[str | ObjectId, Known]:
    """Return the ids of labels in the projects of `scope`, by label id and by name key.

    Raises FilterError (`filter.too_wide`).
    """
    ids = [key for key in keys if isinstance(key, ObjectId)]
    matching = {"$or": [{"_id": {"$in": ids}}, {"name_key": {"$in": [key for key in keys if isinstance(key, str)]}}]}
    found: dict[str | ObjectId, list[Row]] = {}
    labels = Label.objects(__raw__={"project_id": {"$in": list(scope)}, **matching})
    for label in _bounded(labels.only("name_key", "project_id").as_pymongo(), MAX_LABELS, "labels"):
        for key in {label["_id"], label["name_key"]}.intersection(keys):
            found.setdefault(key, []).append(label)
    return {
        key: Known([label["_id"] for label in rows], frozenset(label["project_id"] for label in rows))
        for key, rows in found.items()
    }


def _bounded(rows: BaseQuerySet, maximum: int, what: str) -> list[Any]:
    """Return the rows. Raises FilterError (`filter.too_wide`) beyond `maximum`: each project may have the name."""
    found = list(rows.limit(maximum + 1))
    if len(found) > maximum:
        raise FilterError(1, f"its names match more than {maximum:,} {what}: add a condition on the project.", TOO_WIDE)
    return found


def statuses(keys: Collection[str], scope: Collection[ObjectId]) -> dict[str, Known]:
    """Return the keys of statuses in the workflows of some projects; without projects, in the default workflow."""
    if not scope:
        return {key: Known(key) for key in _DEFAULT_STATUSES.intersection(keys)}
    project_ids: dict[str, set[ObjectId]] = {}
    for row in Project.objects(id__in=list(scope)).only("statuses").as_pymongo():
        own = {status["key"] for status in row.get("statuses") or DEFAULT}
        for key in own.intersection(keys):
            project_ids.setdefault(key, set()).add(row["_id"])
    return {key: Known(key, frozenset(ids)) for key, ids in project_ids.items()}


def members(keys: Collection[ObjectId], scope: Collection[ObjectId]) -> dict[ObjectId, Known]:
    """Return those of these users that are members of a project in `scope`."""
    found = Membership.objects(project_id__in=list(scope), user_id__in=list(keys)).distinct("user_id")
    return {user_id: Known(user_id) for user_id in found}


def projects_of_members(keys: Collection[ObjectId], scope: Collection[ObjectId]) -> dict[ObjectId, Known]:
    """Return the same as `members`, each with the projects of `scope` that they are a member of."""
    project_ids: dict[ObjectId, set[ObjectId]] = {}
    found = Membership.objects(project_id__in=list(scope), user_id__in=list(keys))
    for user_id, project_id in found.scalar("user_id", "project_id"):
        project_ids.setdefault(user_id, set()).add(project_id)
    return {user_id: Known(user_id, frozenset(ids)) for user_id, ids in project_ids.items()}


def custom_fields(keys: Iterable[str], scope: Collection[ObjectId]) -> Mapping[str, list[CustomField]]:
    """Return the custom fields of some projects by their keys. Raises FilterError (`filter.too_wide`)."""
    found: dict[str, list[CustomField]] = {}
    wanted = list(keys)
    fields = CustomField.objects(project_id__in=list(scope), key__in=wanted)
    for field in _bounded(fields, MAX_FIELDS, "custom fields") if wanted else ():
        found.setdefault(field.key, []).append(field)
    return found
