"""Bind a filter on tasks to projects: resolve the types of its custom fields, and check that its names exist.

A condition on a custom field applies to the projects that have the field: for tasks of other projects it is false, also
with `!=`, and so is its negation. A name that exists in some of the projects matches no task of the others.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

from bson import ObjectId

from taskmanager.core.errors import Invalid
from taskmanager.core.filters import kinds, moments
from taskmanager.core.filters.binding import KindsOf, Known, KnownNames, Lookup, look_up, meanings, readings
from taskmanager.core.filters.nodes import (
    Condition,
    Context,
    FieldKind,
    GivenFilter,
    Node,
    Readings,
    conditions,
    defined,
)
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter
from taskmanager.features.projects.filtering import names
from taskmanager.features.projects.models import CustomField, name_key
from taskmanager.features.tasks.filtering import held
from taskmanager.features.tasks.filtering.fields import CUSTOM_FIELDS
from taskmanager.features.tasks.models import Task


def bind(given: GivenFilter, actor: Actor, project_ids: Collection[ObjectId]) -> tuple[Node, Context]:
    """Return the filter bound to these projects, and the context with the meaning of its names.

    Raises Invalid (`filter.unknown_name`, `filter.invalid_value`) with the column in its message; TooMany, Unavailable.
    """
    try:
        return Directory(actor, project_ids if given.scope is None else given.scope, [given]).bound(given)
    except FilterError as error:
        raise Invalid(given.location, str(error), code=error.code) from None


class Directory:
    """What the names in some filters mean in some projects, with one lookup for each kind of name.

    Raises TooMany, Unavailable (see `held`), FilterError (`filter.too_wide`).
    """

    def __init__(
        self,
        actor: Actor,
        project_ids: Iterable[ObjectId],
        filters: Sequence[GivenFilter],
        fields: Mapping[str, list[CustomField]] | None = None,
    ) -> None:
        """Take `fields` if the custom fields are known; then only `look_up` looks up names."""
        self.actor, self.scope, self._filters = actor, frozenset(project_ids), filters
        conditions_on = _on_custom_fields(filters)
        self.fields = names.custom_fields(set(map(_custom, conditions_on)), self.scope) if fields is None else fields
        self.options = _Options(self.fields, conditions_on, actor, self.scope)
        self.known: KnownNames = {}
        if fields is None:
            self.look_up(_lookups(actor, self.scope))

    def look_up(self, lookups: Mapping[str, Lookup]) -> None:
        """Look up all names in the filters."""
        self.known = look_up(lookups, self.defined())

    def defined(self) -> Iterator[GivenFilter]:
        """Yield the filters with typed custom fields, without those that raise an error; `bind` raises it."""
        for given in self._filters:
            with suppress(FilterError):
                yield replace(given, node=defined(given.node, self._typed))

    def bound(self, given: GivenFilter) -> tuple[Node, Context]:
        """Return a bound filter and its context, as the function `bind`. Raises FilterError."""
        node = defined(given.node, self._typed)
        everywhere = self.scope if given.everywhere else frozenset()
        named = meanings(node, self.known, references=given.references, everywhere=everywhere)
        return node, Context.of(self.actor, named)

    def _typed(self, condition: Condition) -> Readings | None:
        """Return the condition on a custom field with its type in each project; None for other conditions."""
        key = _custom(condition)
        if not key:
            return None
        fields = self.fields.get(key, [])
        return readings(condition, _kinds(fields, self.scope, self.options, contains=condition.operator == "~"))


class FilterRequest(NamedTuple):
    """One filter, its user, and the projects in which its names are looked up."""

    actor: Actor
    scope: frozenset[ObjectId]
    given: GivenFilter


def bind_each(requests: Sequence[FilterRequest]) -> list[tuple[Node, Context] | FilterError]:
    """Return for each filter what `Directory.bind` returns or raises; the filters may be of many users.

    Names are looked up once for all filters, with one query for each kind of name; only outdated names are looked up
    for each filter (see `held`). Raises TooMany, Unavailable.
    """
    try:
        directories = _directories(requests)
    except FilterError as error:  # too many names: of all these filters together, or of one
        if len(requests) == 1:
            return [error]
        middle = len(requests) // 2
        return [*bind_each(requests[:middle]), *bind_each(requests[middle:])]
    return [_bound(directory, one.given) for directory, one in zip(directories, requests, strict=True)]


def _bound(directory: Directory, given: GivenFilter) -> tuple[Node, Context] | FilterError:
    try:
        return directory.bound(given)
    except FilterError as error:
        return error


def _directories(requests: Sequence[FilterRequest]) -> list[Directory]:
    """Return a directory for each filter, with one query for each kind of name. Raises FilterError."""
    scope = frozenset(chain.from_iterable(one.scope for one in requests))
    custom = {_custom(found) for found in _on_custom_fields([one.given for one in requests])}
    fields = names.custom_fields(custom, scope)
    found = [Directory(one.actor, one.scope, [one.given], _fields_in(one.scope, fields)) for one in requests]
    shared = _Shared([given for directory in found for given in directory.defined()], requests, scope)
    for directory in found:
        directory.look_up(shared.lookups(directory.actor, directory.scope))
    return found


def _fields_in(scope: frozenset[ObjectId], fields: Mapping[str, list[CustomField]]) -> dict[str, list[CustomField]]:
    own = {key: [field for field in found if field.project_id in scope] for key, found in fields.items()}
    return {key: found for key, found in own.items() if found}


class _Shared:
    """What the names in the filters of many users mean in any of their projects."""

    def __init__(
        self, filters: Iterable[GivenFilter], requests: Sequence[FilterRequest], scope: frozenset[ObjectId]
    ) -> None:
        self._roles = set(chain.from_iterable(one.actor.project_roles for one in requests))
        lookups: dict[str, Lookup] = {
            "label": partial(names.labels, scope=scope),
            "status": partial(names.statuses, scope=scope),
            "person": partial(names.projects_of_members, scope=scope),
            "project": lambda keys: {},  # from the access of the user: no lookup
            "task": self._projects_of_tasks,
        }
        self._known = look_up(lookups, filters)

    def lookups(self, actor: Actor, scope: frozenset[ObjectId]) -> dict[str, Lookup]:
        """Return lookups for one user, among the names found here."""
        return {
            "label": partial(self._find, "label", scope),
            "status": partial(self._find, "status", scope),
            "person": partial(_people, actor=actor, scope=scope, members=partial(self._find, "person", scope)),
            "project": partial(names.projects, actor=actor),
            "task": partial(self._find, "task", frozenset(actor.project_roles)),
        }

    def _find(self, kind: str, scope: frozenset[ObjectId], keys: Collection[Any]) -> dict[Any, Known]:
        """Return the names that exist in any of these projects; those of people and tasks without the projects."""
        known = self._known.get(kind, {})
        found = {key: known[key] for key in keys if key in known and (known[key].places or frozenset()) & scope}
        return found if kind in ("label", "status") else {key: Known(key) for key in found}

    def _projects_of_tasks(self, keys: Collection[ObjectId]) -> dict[ObjectId, Known]:
        found = Task.objects(id__in=list(keys), project_id__in=list(self._roles)).scalar("id", "project_id")
        return {task_id: Known(task_id, frozenset({project_id})) for task_id, project_id in found}


def check_order(names_sorted_by: Iterable[str], project_ids: Collection[ObjectId], location: str) -> None:
    """Raise Invalid unless every custom field in the order is one of these projects."""
    keys = [name.partition(".")[2] for name in names_sorted_by if name.startswith(f"{CUSTOM_FIELDS}.")]
    try:
        known = names.custom_fields(keys, project_ids)
    except FilterError as error:
        raise Invalid(location, str(error), code=error.code) from None
    for key in keys:
        if key not in known:
            raise Invalid(location, f"There is no custom field {key!r} here.", code="sort.unknown_name")


def _lookups(actor: Actor, scope: frozenset[ObjectId]) -> dict[str, Lookup]:
    return {
        "label": partial(names.labels, scope=scope),
        "status": partial(names.statuses, scope=scope),
        "person": partial(_people, actor=actor, scope=scope),
        "project": partial(names.projects, actor=actor),
        "task": partial(_tasks, actor=actor),
    }


def _people(
    keys: Collection[ObjectId], actor: Actor, scope: frozenset[ObjectId], members: Lookup | None = None
) -> dict[ObjectId, Known]:
    """Return members, and former members that tasks still refer to."""
    found = members(keys) if members else names.members(keys, scope)
    former = set(keys) - found.keys()
    return {**found, **{key: Known(key) for key in held.people(former, actor, scope)}}


def _tasks(keys: Collection[ObjectId], actor: Actor) -> dict[ObjectId, Known]:
    """Return tasks that the actor may see, also in the trash."""
    found = Task.objects(id__in=list(keys), project_id__in=list(actor.project_roles)).scalar("id")
    return {task_id: Known(task_id) for task_id in found}


def _on_custom_fields(filters: Iterable[GivenFilter]) -> list[Condition]:
    return [found for given in filters for found in conditions(given.node) if _custom(found)]


def _custom(condition: Condition) -> str:
    family, _, key = condition.field.stored.partition(".")
    return key if family == CUSTOM_FIELDS else ""


def _kinds(fields: list[CustomField], scope: frozenset[ObjectId], options: "_Options", *, contains: bool) -> KindsOf:
    """Return the kinds of a field by type and options; with `contains` (operator `~`) a select is treated as text."""
    groups: dict[tuple[str, tuple[str, ...]], list[CustomField]] = {}
    for field in fields:
        groups.setdefault((field.type, tuple(field.options)), []).append(field)
    types = _KINDS | {"select": _KINDS["text"] if contains else options.kind}
    return [(_in_projects(group, scope), types[group[0].type](group[0])) for group in groups.values()]


def _in_projects(fields: list[CustomField], scope: frozenset[ObjectId]) -> Filter | None:
    """Return the condition on the projects of these fields; None for all projects.

    The form of the condition prevents the use of an index: lists are read by project, and another condition on the
    project would make MongoDB sort in memory.
    """
    ids = {field.project_id for field in fields}
    return None if ids == scope else {"$nor": [{"project_id": {"$nin": sorted(ids)}}]}


class _Options:
    """The options of selects that filters name, including removed options while a task has them."""

    def __init__(
        self,
        fields: Mapping[str, list[CustomField]],
        conditions_on: Iterable[Condition],
        actor: Actor,
        scope: frozenset[ObjectId],
    ) -> None:
        self._offered = {
            field.id: _by_name(field) for one in fields.values() for field in one if field.type == "select"
        }
        wanted: dict[str, set[str]] = {}
        for condition in conditions_on:
            if condition.operator != "~":
                key = _custom(condition)
                wanted.setdefault(key, set()).update(self._former(fields.get(key, []), condition))
        self._held = held.options({key: texts for key, texts in wanted.items() if texts}, actor, scope)

    def kind(self, field: CustomField) -> kinds.SelectKind:
        """Return the kind of a select."""
        return kinds.SelectKind(field.options, lambda text: self._find(field, text))

    def _former(self, fields: list[CustomField], condition: Condition) -> set[str]:
        """Return the values of a condition that at least one of these fields does not have as an option."""
        offers = [self._offered[field.id] for field in fields if field.type == "select"]
        return {given.text for given in condition.given if any(name_key(given.text) not in offer for offer in offers)}

    def _find(self, field: CustomField, text: str) -> str | None:
        offered = self._offered[field.id].get(name_key(text))
        return text if text in field.options else offered or (text if text in self._held.get(field.key, ()) else None)


def _by_name(field: CustomField) -> dict[str, str]:
    return {name_key(option): option for option in reversed(field.options)}


_KINDS: dict[str, Callable[[CustomField], FieldKind]] = {
    "text": lambda field: kinds.TextKind(),
    "number": lambda field: kinds.NumberKind(),
    "date": lambda field: moments.DayKind(),
    "user": lambda field: kinds.PersonTextKind(),
    "checkbox": lambda field: kinds.CheckboxKind(),
}
