"""One index for each order of lists of tasks, which answers every filter too; marks for people and labels.

An index begins with the project and the order, so that a page is read in its order from where it begins. Behind these
it has all that tasks can be filtered by, so that a task which a filter leaves out is passed over in the index and never
fetched. That makes the indexes large (some kilobytes for each task) and lists cheap whatever is asked.
"""

from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel
from pymongo.database import Database

_UP, _DOWN = ASCENDING, DESCENDING
_ORDERS: dict[str, list[tuple[str, int]]] = {
    "_id": [("_id", _UP)],
    "updated_at": [("updated_at", _UP), ("_id", _UP)],
    "due_at": [("due_at", _UP), ("_id", _UP)],
    "priority": [("priority", _UP), ("_id", _UP)],
    "position": [("position", _UP), ("_id", _UP)],
    "due_at_priority": [("due_at", _UP), ("priority", _UP), ("_id", _UP)],
    "due_at_priority_opposed": [("due_at", _UP), ("priority", _DOWN), ("_id", _DOWN)],
    "priority_due_at": [("priority", _UP), ("due_at", _UP), ("_id", _UP)],
    "priority_due_at_opposed": [("priority", _UP), ("due_at", _DOWN), ("_id", _DOWN)],
}
_FILTERED = (
    "marks",
    "status_group",
    "status",
    "priority",
    "reporter_id",
    "parent_id",
    "due_at",
    "due_floating",
    "start_at",
    "estimate_minutes",
    "completed_at",
    "created_at",
    "updated_at",
)
_REPLACED = (
    "project_id__id",
    "project_id_updated_at__id",
    "project_id_due_at__id",
    "project_id_priority__id",
    "project_id_position__id",
    *(f"project_id_{pair}_{direction}" for pair in ("due_at_priority", "priority_due_at") for direction in (1, -1)),
)


def upgrade(database: Database[dict[str, Any]]) -> None:
    """Fill in the marks, create the indexes, drop those that they replace."""
    tasks = database["tasks"]
    tasks.update_many({"marks": {"$exists": False}}, [{"$set": {"marks": _marks()}}])
    tasks.create_indexes(
        [
            IndexModel(
                [("project_id", _UP), *order, *_behind(order)],
                name=f"list_{name}",
                partialFilterExpression={"deleted_at": None},
            )
            for name, order in _ORDERS.items()
        ]
    )
    for name in tasks.index_information().keys() & set(_REPLACED):
        tasks.drop_index(name)


def _behind(order: list[tuple[str, int]]) -> list[tuple[str, int]]:
    there = {field for field, _ in order}
    return [(field, _UP) for field in _FILTERED if field not in there]


def _marks() -> dict[str, Any]:
    def each(field: str, letter: str, otherwise: list[str]) -> dict[str, Any]:
        ids = {"$ifNull": [f"${field}", []]}
        made = {"$map": {"input": ids, "in": {"$concat": [f"{letter}:", {"$toString": "$$this"}]}}}
        return {"$cond": [{"$gt": [{"$size": ids}, 0]}, made, otherwise]}

    return {
        "$concatArrays": [
            each("assignee_ids", "a", ["a"]),
            each("label_ids", "l", ["l"]),
            each("watcher_ids", "w", []),
        ]
    }
