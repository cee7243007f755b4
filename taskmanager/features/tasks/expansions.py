"""Load what `?expand=` embeds beside the ids of tasks: people, labels, projects, parents; one query for each kind."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from bson import ObjectId

from taskmanager.core.errors import ScopeMissing
from taskmanager.core.registry import Part
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.projects.models import Label, Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users

MAX_EMBEDDED = 5_000  # ids in one page: a page with more ends early
Load = Callable[[list[ObjectId], Actor], dict[ObjectId, Row]]


@dataclass(frozen=True)
class Expansion:
    """What is embedded for the ids in the field `stored`, and the scope that API tokens and share links need for it."""

    stored: str
    many: bool
    load: Load
    scope: str


def _people(ids: list[ObjectId], actor: Actor) -> dict[ObjectId, Row]:
    return {user_id: {"id": str(user_id), **profile} for user_id, profile in users.public_profiles(ids).items()}


def _labels(ids: list[ObjectId], actor: Actor) -> dict[ObjectId, Row]:
    rows = Label.objects(id__in=ids).only("name", "color").as_pymongo()
    return {row["_id"]: {"id": str(row["_id"]), "name": row["name"], "color": row.get("color")} for row in rows}


def _projects(ids: list[ObjectId], actor: Actor) -> dict[ObjectId, Row]:
    rows = Project.objects.visible_to(actor).filter(id__in=ids).only("key", "name", "color").as_pymongo()
    return {
        row["_id"]: {"id": str(row["_id"]), "key": row["key"], "name": row["name"], "color": row.get("color")}
        for row in rows
    }


def _tasks(ids: list[ObjectId], actor: Actor) -> dict[ObjectId, Row]:
    rows = Task.objects.visible_to(actor).filter(id__in=ids).only("key", "title", "status").as_pymongo()
    return {
        row["_id"]: {"id": str(row["_id"]), "key": row["key"], "title": row["title"], "status": row["status"]}
        for row in rows
    }


OWN_EXPANSIONS = {
    "assignees": Expansion("assignee_ids", True, _people, "members:read"),
    "watchers": Expansion("watcher_ids", True, _people, "members:read"),
    "reporter": Expansion("reporter_id", False, _people, "members:read"),
    "labels": Expansion("label_ids", True, _labels, "projects:read"),
    "project": Expansion("project_id", False, _projects, "projects:read"),
    "parent": Expansion("parent_id", False, _tasks, "tasks:read"),
}


EXPANSIONS: Part[Expansion] = Part("expansions")


def source_fields(names: Iterable[str]) -> list[str]:
    """Return the stored fields that the named expansions need."""
    return [EXPANSIONS[name].stored for name in names]


def fitting(rows: Sequence[Row], names: Iterable[str]) -> int:
    """Return how many of the first rows, at least one, have at most MAX_EMBEDDED ids to be embedded together."""
    sizes = accumulate(sum(len(_ids(row, EXPANSIONS[name])) for name in names) for row in rows)
    return max(1, sum(size <= MAX_EMBEDDED for size in sizes))


def expand(rows: Sequence[Row], names: Sequence[str], actor: Actor) -> list[Row]:
    """Return for each row what is embedded in it, by the name of the expansion.

    What does not exist or the actor may not see is left out of a list and null elsewhere. Raises ScopeMissing when the
    token of the actor does not have the scope of an expansion.
    """
    for name in names:
        if not actor.has_scope(EXPANSIONS[name].scope):
            raise ScopeMissing(scope=EXPANSIONS[name].scope)
    known = _load(rows, [EXPANSIONS[name] for name in names], actor)
    return [{name: _embedded(row, EXPANSIONS[name], known) for name in names} for row in rows]


def _load(rows: Sequence[Row], wanted: list[Expansion], actor: Actor) -> dict[Load, dict[ObjectId, Row]]:
    ids: dict[Load, set[ObjectId]] = {}
    for expansion in wanted:
        ids.setdefault(expansion.load, set()).update(item_id for row in rows for item_id in _ids(row, expansion))
    return {load: load(list(found), actor) if found else {} for load, found in ids.items()}


def _ids(row: Row, expansion: Expansion) -> list[ObjectId]:
    value = row.get(expansion.stored)
    return (value or []) if expansion.many else [value] if value else []


def _embedded(row: Row, expansion: Expansion, known: dict[Load, dict[ObjectId, Row]]) -> list[Row] | Row | None:
    found = [known[expansion.load][item_id] for item_id in _ids(row, expansion) if item_id in known[expansion.load]]
    return found if expansion.many else next(iter(found), None)
