"""Objects as they were read for changes: once, and encoded once, for all connections of a process that see them."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.sync.objects import TYPES, ObjectKey

MAX_KEPT = 500  # objects of a window; a task has at most some tens of kilobytes


@dataclass
class FoundObject:
    """An object as it was read; `project_id` is the project whose members see it, where that decides it."""

    type: str
    row: Row
    project_id: ObjectId | None = None

    @cached_property
    def encoded(self) -> bytes:
        """Return the object as JSON."""
        return TYPES[self.type].encoded(self.row)


class SharedObjects:
    """Objects of projects, read not before the events that have changed them: those of an `EventWindow`.

    They give no rights: `visible` returns those that an actor sees. What differs by actor is read for each.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[ObjectKey, FoundObject | None] = {}

    def visible(self, keys: Sequence[ObjectKey], actor: Actor) -> dict[ObjectKey, FoundObject]:
        """Return those of the objects that the actor may see, by one or two queries for each type."""
        by_type: dict[str, list[ObjectKey]] = {}
        for key in keys:
            by_type.setdefault(key.type, []).append(key)
        return {key: found for name, some in by_type.items() for key, found in self._of_type(name, some, actor)}

    def _of_type(self, name: str, keys: list[ObjectKey], actor: Actor) -> list[tuple[ObjectKey, FoundObject]]:
        read, shown = TYPES[name].read, TYPES[name].shown
        if read:
            return [(key, FoundObject(name, row)) for key, row in read(keys, actor)]
        visible = [one for one in self._loaded(name, keys) if one[1].project_id in actor.project_roles]
        return [(key, _as_shown(found, shown(found.row, actor))) for key, found in visible]

    def _loaded(self, name: str, keys: list[ObjectKey]) -> list[tuple[ObjectKey, FoundObject]]:
        """Return the objects that exist; others that need them at the same time wait for one read."""
        load = TYPES[name].load
        assert load
        with self._lock:
            if missing := [key for key in keys if key not in self._known]:
                if len(self._known) > MAX_KEPT:
                    self._known.clear()
                    missing = keys
                found = {key: FoundObject(name, row, project_id) for key, row, project_id in load(missing)}
                self._known |= {key: found.get(key) for key in missing}
            return [(key, one) for key in keys if (one := self._known[key])]


def _as_shown(found: FoundObject, row: Row) -> FoundObject:
    return found if row is found.row else FoundObject(found.type, row, found.project_id)
