"""The activity of a task, read from the event log: who changed which field, with the value before and after."""

from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import Event, plain
from taskmanager.core.security.access import Actor, members_only
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Row
from taskmanager.features.tasks.models import PRIORITIES, Task

_DERIVED = {
    "due_at",
    "due_floating",
    "due_timezone_chosen",
    "completed_at",
    "closed_at",
    "started_at",
    "recurs_at",
    "withdrawn_id",
    "withdrawn_key",
    "status_group",
}  # computed from other fields, whose changes are part of the activity


def visible(task_id: ObjectId, actor: Actor) -> Described:
    """Return the activity of a task; one entry holds all changes of one request.

    Raises NotFound, Forbidden for a visitor: share links show the current state only.
    """
    Task.objects.visible_to(actor).check_exists(task_id)
    members_only(actor)
    return Described(Event.objects(subject_id=task_id), lambda rows: [_entry(row) for row in rows], needed=("data",))


def _entry(row: Row) -> Row:
    changes = exposed_changes(row.get("data", {}).get("changes", {}))
    return {**row, "revision": 1, "changes": changes}  # an entry never changes


def exposed_changes(changes: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Return the changes that an event of a task stores, in the form of the API: {field: {before, after}}."""
    return {field: _exposed(field, change) for field, change in changes.items() if field not in _DERIVED}


def _exposed(field: str, change: list[Any]) -> dict[str, Any]:
    before, after = (PRIORITIES[value] if field == "priority" else plain(value) for value in change)
    return {"before": before, "after": after}
