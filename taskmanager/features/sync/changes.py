"""Reads from the event log what has changed for an actor behind a position: by index, whatever else is stored.

Each event of a stream that the actor sees leads to the objects that it has changed. Events that name the actor's
account (`Fact.accounts`) tell which projects the account has gained and lost.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId

from taskmanager.core.events.log import Event
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter, Row
from taskmanager.core.storage.parts import MAX_MERGED
from taskmanager.features.sync.objects import ObjectKey
from taskmanager.features.sync.window import FIELDS, EventWindow, concerning

MAX_TARGETS = 20  # gained projects and restored tasks of one page: its token names them
_MIN_EVENTS = 200


def _subject(name: str) -> Callable[[Row], list[ObjectKey]]:
    return lambda event: [ObjectKey(name, event["subject_id"])]


def _project(event: Row) -> list[ObjectKey]:
    return [ObjectKey("projects", event["subject_id"]), ObjectKey("statuses", event["subject_id"])]


def _member(event: Row) -> list[ObjectKey]:
    return [ObjectKey("members", event["data"]["user_id"], project_of(event))]


def _comment(event: Row) -> list[ObjectKey]:
    return [ObjectKey("comments", event["data"]["comment_id"])]


def _notifications(event: Row) -> list[ObjectKey]:
    return [ObjectKey("notifications", one) for one in event["data"].get("notification_ids", ())]


def _preferences(event: Row) -> list[ObjectKey]:
    return [ObjectKey("preferences", event["data"].get("project_id") or event["subject_id"])]


# The beginning of the kind of an event → the objects that it has changed. Events of other kinds change none of these.
_KEYS: dict[str, Callable[[Row], list[ObjectKey]]] = {
    "project": _project,
    "member": _member,
    "label": _subject("labels"),
    "custom_field": _subject("custom_fields"),
    "view": _subject("views"),
    "task": _subject("tasks"),
    "comment": _comment,
    "reminder": _subject("reminders"),
    "notifications": _notifications,
    "preferences": _preferences,
}
_WITH_CONTENT = ("task.restored", "task.moved_in")  # comments and reminders become visible with the task


def project_of(event: Row) -> ObjectId | None:
    """Return the project whose stream an event belongs to; None for the stream of an account."""
    kind, _, owner = event["stream"].partition(":")
    return ObjectId(owner) if kind == "project" else None


@dataclass
class Changes:
    """What has changed up to the position `until`, and the first objects of the event behind it, `skip` in number.

    `keys` are the changed objects with their last event, in the order of that; `targets` what has become visible and is
    to be filled in; `lost` are projects that are not visible any more; `mutations` the actor's own.
    """

    until: int
    skip: int = 0  # not 0 when one event names more objects than a page has
    keys: dict[ObjectKey, Row] = field(default_factory=dict)
    targets: dict[str, int] = field(default_factory=dict)  # with the position of their first event, as the next
    lost: dict[ObjectId, int] = field(default_factory=dict)
    mutations: list[tuple[int, Row]] = field(default_factory=list)
    changes_rights: bool = False  # an event names the account: rights that were loaded before it may be outdated


Named = list[tuple[Row, list[ObjectKey]]]  # events with the objects that they have changed


def read(
    actor: Actor, types: Iterable[str], after: int, skip: int, head: int, limit: int, window: EventWindow | None = None
) -> Changes:
    """Return the changes behind the position `after`: at most `limit` objects, whose last change of the events it has.

    `skip` are the objects of the next event that the client has already. With a `window` that covers the position the
    log is not read.
    """
    number = max(2 * limit, _MIN_EVENTS)
    events = _events(actor, after, head, number + 1, window)
    if len(events) > number:
        events, head = events[:number], events[number - 1]["position"]
    wanted = set(types)
    named = [(event, [key for key in _keys_of(event, actor) if key.type in wanted]) for event in events]
    if named and skip and named[0][0]["position"] == after + 1:
        named[0] = (named[0][0], named[0][1][skip:])
    found = _collect(actor, named, head, limit, with_content=bool(wanted & {"comments", "reminders"}))
    if found.skip and found.until == after:
        found.skip += skip
    return found


def _collect(actor: Actor, named: Named, head: int, limit: int, *, with_content: bool) -> Changes:
    """Return the changes of the first events that a page can have."""
    found = Changes(head, changes_rights=any(event["names_account"] for event, _ in named))
    last = {key: event["position"] for event, keys in named for key in keys}
    for event, keys in named:
        latest = [key for key in keys if last[key] == event["position"]]
        room = limit - len(found.keys)
        if len(found.targets) >= MAX_TARGETS or (latest and not room):
            found.until = event["position"] - 1
            break
        found.keys |= dict.fromkeys(latest[:room], event)
        if len(latest) > room:
            found.until, found.skip = event["position"] - 1, keys.index(latest[room - 1]) + 1
            found.mutations += _mutations(event, keys[: found.skip], actor, found.until)
            break
        if event["names_account"]:
            _note_project(found, event, actor)
        if event["kind"] in _WITH_CONTENT and with_content:
            found.targets.setdefault(f"task:{event['subject_id']}", event["position"])
        found.mutations += _mutations(event, keys, actor, event["position"])
    return found


def _note_project(found: Changes, event: Row, actor: Actor) -> None:
    """Note a project that the account has gained or lost; all of a new project is in its stream already."""
    project_id = project_of(event)
    assert project_id
    if project_id not in actor.project_roles:
        found.lost.setdefault(project_id, event["position"])
    elif event["kind"] != "project.created":
        found.targets.setdefault(f"project:{project_id}", event["position"])


def _keys_of(event: Row, actor: Actor) -> list[ObjectKey]:
    project_id = project_of(event) or event["data"].get("project_id")
    if project_id is not None and project_id not in actor.project_roles:
        return []  # only the loss of the project itself is told
    make = _KEYS.get(event["kind"].partition(".")[0])
    return make(event) if make else []


def _mutations(event: Row, keys: list[ObjectKey], actor: Actor, position: int) -> list[tuple[int, Row]]:
    """Return the mutation ids that the actor gave to this change, with the objects that it changed.

    A visitor has none: events without an account are those of other visitors and of the system.
    """
    mutation_id = event.get("correlation", {}).get("mutation_id")
    if mutation_id is None or actor.account_id is None or event.get("actor_id") != actor.account_id:
        return []
    made = [{"mutation_id": mutation_id, "type": key.type, "id": str(key.id)} for key in keys]
    return [(position, one) for one in made]


def _events(actor: Actor, after: int, head: int, limit: int, window: EventWindow | None) -> list[Row]:
    """Return at most `limit` events behind a position that concern the actor, in order."""
    streams = [f"project:{project_id}" for project_id in actor.project_roles]
    if actor.account_id:
        streams.append(f"user:{actor.account_id}")
    only = f"project:{actor.only_project}" if actor.one_project else ""
    if window:
        return concerning(window, after, limit, set(streams), actor.account_id, only)
    places = {"position": {"$gt": after, "$lte": head}}
    about: list[tuple[Filter, str]] = []
    if actor.account_id:
        about.append(({"accounts": actor.account_id} | ({"stream": only} if only else {}), "accounts_position"))
    for begin in range(0, len(streams), MAX_MERGED):
        about.append(({"stream": {"$in": streams[begin : begin + MAX_MERGED]}}, "stream_position"))
    found: dict[int, Row] = {}
    for query, index in about:
        for row in _find(query | places, index, limit):
            found.setdefault(row["position"], row | {"names_account": index == "accounts_position"})
    return [{"data": {}} | found[position] for position in sorted(found)][:limit]


def _find(query: Filter, index: str, limit: int) -> Any:
    return Event._get_collection().find(query, FIELDS).sort("position", 1).hint(index).limit(limit)
