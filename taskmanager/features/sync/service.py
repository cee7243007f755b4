"""The use case of sync: the next page of what an actor may see, or of what has changed for it."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Expired, ScopeMissing
from taskmanager.core.events import positions
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.database import causally_consistent
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import MAX_PAGE_BYTES
from taskmanager.features.sync import changes, filling
from taskmanager.features.sync.changes import Changes
from taskmanager.features.sync.objects import TYPES, ObjectKey
from taskmanager.features.sync.shared import SharedObjects
from taskmanager.features.sync.tokens import SyncState
from taskmanager.features.sync.window import EventWindow
from taskmanager.features.tasks.models import Task

_CHUNK = 50  # objects that are read together, before the size of the page is compared
_MAX_SECONDS = 0.7  # of one page of a target, which may have many tasks without comments

Fresh = Callable[[], Actor]  # the actor by the rights that MongoDB has now, not older than the head of the log


@dataclass
class SyncPage:
    """A page: the objects by type, as JSON, what is gone, the caller's own mutations, and the state after it."""

    state: SyncState
    limit: int
    objects: dict[str, list[bytes]] = field(default_factory=dict)
    tombstones: list[Row] = field(default_factory=list)
    mutations: list[Row] = field(default_factory=list)
    has_more: bool = False
    number: int = 0
    size: int = 0
    shared: SharedObjects = field(default_factory=SharedObjects)

    @property
    def is_empty(self) -> bool:
        """Return whether the client learns nothing from it."""
        return not (self.number or self.tombstones or self.has_more)

    @property
    def room(self) -> int:
        """Return how many objects may still be added."""
        return self.limit - self.number if self.size < MAX_PAGE_BYTES else 0

    def add(self, name: str, encoded: bytes) -> None:
        """Add an object of a type, as JSON."""
        self.objects.setdefault(name, []).append(encoded)
        self.number += 1
        self.size += len(encoded)


def begin(types: Iterable[str] | None, *, fresh: Fresh) -> SyncState:
    """Return the state of a full sync, from the position of now on. Raises ScopeMissing for a type out of reach.

    Without `types`, all that the actor may read.
    """
    positions.catch_up()
    with causally_consistent():
        head, actor = positions.head(), fresh()
    chosen = _readable(types, actor) if types is not None else [name for name in TYPES if _may_read(name, actor)]
    targets = [f"account:{actor.account_id}"] if actor.account_id else []
    return SyncState(head, chosen, targets, filled="")


def page(state: SyncState, limit: int, *, actor: Actor, fresh: Fresh, window: EventWindow | None = None) -> SyncPage:
    """Return the next page after a state. Raises ScopeMissing, Expired (`sync.token_expired`).

    `actor` may have rights that are older than the position; where that matters, those of `fresh` are used. With a
    `window` that covers the position, the changes up to its head are found without a read of the log.
    """
    _readable(state.types, actor)
    with causally_consistent() as session:
        if window and window.covers(state.position) and not state.is_filling:
            window.precede(session)
            return _changed(SyncPage(state, limit, shared=window.objects), window.head, actor, fresh, window)
        head = check_position(state.position)
        if state.is_filling:
            return _filled(SyncPage(state, limit), fresh())
        return _changed(SyncPage(state, limit), head, actor, fresh)


def check_position(position: int) -> int:
    """Return the last position of the log. Raises Expired (`sync.token_expired`) for one that the log does not have."""
    head, floor = positions.bounds()
    if not floor <= position <= head:
        detail = "The log does not reach back so far, or not so far yet: begin a new sync."
        raise Expired(detail, code="sync.token_expired")
    return head


def _may_read(name: str, actor: Actor) -> bool:
    return TYPES[name].is_readable_by(actor)


def _readable(types: Iterable[str], actor: Actor) -> list[str]:
    """Return the types, in the order of the table. Raises ScopeMissing for one that the actor may not read."""
    for name in types:
        if not _may_read(name, actor):
            raise ScopeMissing(scope=TYPES[name].scope)
    return [name for name in TYPES if name in set(types)]


def _filled(found: SyncPage, actor: Actor) -> SyncPage:
    """Add content to a page until it is full, or nothing remains to be filled in."""
    end = time.monotonic() + _MAX_SECONDS
    while found.room and found.state.is_filling and time.monotonic() < end:
        found.state = _fill_some(found, actor)
    found.has_more = found.state.is_filling or positions.head() > found.state.position
    return found


def _fill_some(found: SyncPage, actor: Actor) -> SyncState:
    """Add the next rows of the first target; return the state after them."""
    state = found.state
    if not state.targets:
        return _next_project(state, actor)
    steps = filling.steps_of(state.targets[0], state.types)
    step = state.step or next(iter(steps), "")
    if not step:
        return _without_target(state)
    rows, key = filling.rows_of(state.targets[0], step, actor, state.key, min(_CHUNK, found.room))
    for row in rows:
        found.add(step, TYPES[step].encoded(row))
    if key is not None:
        return replace(state, step=step, key=key)
    later = steps[steps.index(step) + 1 :]
    return replace(state, step=later[0], key=None) if later else _without_target(state)


def _without_target(state: SyncState) -> SyncState:
    """Return the state after its first target is complete."""
    kind, _, item_id = state.targets[0].partition(":")
    filled = item_id if state.filled is not None and kind == "project" else state.filled
    return replace(state, targets=state.targets[1:], step="", key=None, filled=filled)


def _next_project(state: SyncState, actor: Actor) -> SyncState:
    """Return the state with the next project of a full sync as its target; without more of them it is complete."""
    following = [project_id for project_id in actor.project_roles if str(project_id) > (state.filled or "")]
    if not following:
        return replace(state, filled=None)
    return replace(state, targets=[f"project:{min(following)}"])


def _changed(found: SyncPage, head: int, actor: Actor, fresh: Fresh, window: EventWindow | None = None) -> SyncPage:
    """Add the changes behind the position of a page, as the objects are now."""
    state = found.state
    changed = changes.read(actor, state.types, state.position, state.skip, head, found.limit, window)
    if changed.changes_rights:
        actor = fresh()
        changed = changes.read(actor, state.types, state.position, state.skip, head, found.limit, window)
    until = _add_objects(found, changed, actor)
    lost = [project_id for project_id, position in changed.lost.items() if position <= until]
    found.tombstones += [{"type": "projects", "id": str(project_id)} for project_id in lost]
    found.mutations = [one for position, one in changed.mutations if position <= until]
    targets = [target for target, position in changed.targets.items() if position <= until]
    skip = changed.skip if until == changed.until else 0
    found.state = replace(state, position=until, skip=skip, targets=targets)
    found.has_more = until < head or bool(found.state.targets)
    return found


def _add_objects(found: SyncPage, changed: Changes, actor: Actor) -> int:
    """Add the changed objects, and tombstones of those that are gone; return up to which position.

    A page that gets too large ends early.
    """
    keys = list(changed.keys)
    for start in range(0, len(keys), _CHUNK):
        some = keys[start : start + _CHUNK]
        before = int(changed.keys[some[0]]["position"]) - 1
        if found.size >= MAX_PAGE_BYTES and found.state.position < before < changed.until:
            return before
        _add_some(found, some, changed, actor)
    return changed.until


def _add_some(found: SyncPage, keys: Sequence[ObjectKey], changed: Changes, actor: Actor) -> None:
    """Add objects, unless they are in a project that is filled in next, and tombstones."""
    present = found.shared.visible(keys, actor)
    filled = {ObjectId(one.partition(":")[2]) for one in changed.targets if one.startswith("project:")}
    gone = [key for key in keys if key not in present]
    for key in keys:
        if key in present and _project_of(present[key].row) not in filled:
            found.add(key.type, present[key].encoded)
    hidden = _of_other_projects(gone, changed, actor) if actor.one_project else set[ObjectKey]()
    found.tombstones += [_tombstone(key, changed.keys[key]) for key in gone if key not in hidden]


def _project_of(row: Row) -> Any:
    """Return the id of an object's project, or of itself: preferences that were never set have neither."""
    return row.get("project_id") or row.get("_id")


def _of_other_projects(gone: Sequence[ObjectKey], changed: Changes, actor: Actor) -> set[ObjectKey]:
    """Return the reminders of tasks of other projects, which a token for one project must not hear of."""
    tasks = {key: changed.keys[key]["data"].get("task_id") for key in gone if key.type == "reminders"}
    in_project = Task.objects(id__in=list(tasks.values()), project_id__in=list(actor.project_roles)) if tasks else ()
    known = {task.id for task in in_project}
    return {key for key, task_id in tasks.items() if task_id not in known}


def _tombstone(key: ObjectKey, event: Row) -> Row:
    project_id: Any = key.project_id or changes.project_of(event)
    tombstone = {"type": key.type, "id": str(key.id)}
    return tombstone | ({"project_id": str(project_id)} if project_id and project_id != key.id else {})
