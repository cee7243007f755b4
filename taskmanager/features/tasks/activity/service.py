"""What happened to a task, read from the event log: who changed what, from what to what."""

from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import Event, plain
from taskmanager.core.security.access import Actor, members_only
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.querysets import Row
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
}  # follow from other fields, which are told


def visible(task_id: ObjectId, actor: Actor) -> Described:
    """Return what happened to a task; one entry holds all that one request changed.

    Raises NotFound, Forbidden for a visitor, who reads the present state.
    """
    Task.objects.visible_to(actor).check_exists(task_id)
    members_only(actor)
    return Described(Event.objects(subject_id=task_id), lambda rows: [_entry(row) for row in rows], needed=("data",))


def _entry(row: Row) -> Row:
    shown = exposed_changes(row.get("data", {}).get("changes", {}))
    return {**row, "revision": 1, "changes": shown}  # an entry never changes


def exposed_changes(changes: dict[str, list[Any]]) -> dict[str, dict[str, Any]]:
    """Return the changes that an event of a task remembers, as clients know the fields: {field: {before, after}}."""
    return {field: _exposed(field, change) for field, change in changes.items() if field not in _DERIVED}


def _exposed(field: str, change: list[Any]) -> dict[str, Any]:
    before, after = (PRIORITIES[value] if field == "priority" else plain(value) for value in change)
    return {"before": before, "after": after}
