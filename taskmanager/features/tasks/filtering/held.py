"""Outdated values that tasks still have: former members, and options of selects that were removed.

All names of one kind are one query, which may read all tasks of the projects: it counts as an expensive one.
"""

from collections.abc import Collection, Mapping

from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter, Row
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.filtering.fields import CUSTOM_FIELDS
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet

_REPORTER = {"$concat": ["r:", {"$toString": "$reporter_id"}]}


def people(user_ids: Collection[ObjectId], actor: Actor, project_ids: Collection[ObjectId]) -> set[ObjectId]:
    """Return those of the users that are assignee, watcher or reporter of a task in the projects.

    Raises TooMany, Unavailable (`query.too_slow`).
    """
    if not user_ids or not project_ids:
        return set()
    tags = [f"{letter}:{user_id}" for letter in "awr" for user_id in user_ids]
    named = {"$setIntersection": [tags, {"$concatArrays": [{"$ifNull": ["$marks", []]}, [_REPORTER]]}]}
    some: list[Filter] = [{"reporter_id": {"$in": list(user_ids)}}, {"marks": {"$in": tags}}]
    stages: list[Row] = [{"$project": {"named": named}}, {"$unwind": "$named"}, {"$group": {"_id": "$named"}}]
    with expensive(actor):
        return {ObjectId(row["_id"][2:]) for row in _alive(project_ids, some).piped(*stages)}


def options(
    wanted: Mapping[str, Collection[str]], actor: Actor, project_ids: Collection[ObjectId]
) -> dict[str, set[str]]:
    """Return those of the wanted texts that are values of custom fields of tasks: {key of the field: texts}.

    Raises TooMany, Unavailable (`query.too_slow`).
    """
    if not wanted or not project_ids:
        return {}
    some = [{f"{CUSTOM_FIELDS}.{key}": {"$in": list(texts)}} for key, texts in wanted.items()]
    values = {key: {"$addToSet": _value(key, texts)} for key, texts in wanted.items()}
    with expensive(actor):
        found = _alive(project_ids, some).piped({"$group": {"_id": None, **values}})
    return {key: set(found[0][key]) for key in wanted} if found else {}


def _value(key: str, texts: Collection[str]) -> Row:
    stored = f"${CUSTOM_FIELDS}.{key}"
    return {"$cond": [{"$in": [stored, {"$literal": list(texts)}]}, stored, "$$REMOVE"]}


def _alive(project_ids: Collection[ObjectId], some: list[Filter]) -> TaskQuerySet:
    """Return the tasks of projects that match one of the conditions, each of which may use an index of its own."""
    in_projects: Filter = {"project_id": {"$in": list(project_ids)}, "deleted_at": None}
    return Task.objects(__raw__={"$or": [in_projects | one for one in some]})
