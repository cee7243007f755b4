"""What a filter on tasks means in some projects: its custom fields get their types, and its names must exist.

A custom field is asked about in the projects that have it: for tasks of other projects a condition on it is false,
also one with `!=`, and so is its negation. Of a name that some of the projects know, the others have none.
"""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from typing import Any

from bson import ObjectId

from taskmanager.core.access import Actor
from taskmanager.core.errors import Invalid
from taskmanager.core.filters import kinds, moments
from taskmanager.core.filters.binding import KindsOf, Known, Lookup, meanings, readings
from taskmanager.core.filters.nodes import Condition, Context, GivenFilter, Node, conditions, defined
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.querysets import Filter
from taskmanager.features.projects import filter_names as names
from taskmanager.features.projects.models import CustomField, name_key
from taskmanager.features.tasks.filters import CUSTOM_FIELDS
from taskmanager.features.tasks.models import Task


def bound(given: GivenFilter, actor: Actor, project_ids: Collection[ObjectId]) -> tuple[Node, Context]:
    """Return the filter as it is to be asked in these projects, and the context with what its names mean.

    Raises Invalid (`filter.unknown_name`, `filter.invalid_value`) with the column in its message.
    """
    directory = Directory(actor, project_ids if given.scope is None else given.scope, [given])
    try:
        return directory.bound(given)
    except FilterError as error:
        raise Invalid(given.location, str(error), code=error.code) from None


class Directory:
    """What is known in some projects of all that some filters name, with one lookup for each sort of names."""

    def __init__(self, actor: Actor, project_ids: Iterable[ObjectId], filters: Iterable[GivenFilter]) -> None:
        self.actor, self.scope = actor, frozenset(project_ids)
        nodes = [given.node for given in filters]
        keys = {key for node in nodes for condition in conditions(node) if (key := _custom(condition))}
        self.fields = names.custom_fields(keys, self.scope)
        self.lookups = {sort: _asked_once(lookup) for sort, lookup in _lookups(actor, self.scope).items()}

    def bound(self, given: GivenFilter) -> tuple[Node, Context]:
        """As the function `bound`. Raises FilterError."""
        node = defined(given.node, self._typed)
        everywhere = self.scope if given.everywhere else frozenset()
        named = meanings(node, self.lookups, references=given.references, everywhere=everywhere)
        return node, Context.of(self.actor, named)

    def _typed(self, condition: Condition) -> Any:
        """The condition on a custom field by the type that it has in each project; None for other conditions."""
        key = _custom(condition)
        if not key:
            return None
        return readings(condition, _kinds(self.fields.get(key, []), self.scope, contains=condition.operator == "~"))


def _asked_once(lookup: Lookup) -> Lookup:
    known: dict[Any, Known] = {}
    asked: set[Any] = set()

    def remembering(keys: Collection[Any]) -> dict[Any, Known]:
        if new := set(keys) - asked:
            known.update(lookup(new))
            asked.update(new)
        return known

    return remembering


def check_order(names_sorted_by: Iterable[str], project_ids: Collection[ObjectId], location: str) -> None:
    """Raise Invalid unless every custom field among these is one of these projects."""
    keys = [name.partition(".")[2] for name in names_sorted_by if name.startswith(f"{CUSTOM_FIELDS}.")]
    known = names.custom_fields(keys, project_ids)
    for key in keys:
        if key not in known:
            raise Invalid(location, f"{key!r} is no custom field that is known here.", code="sort.unknown_name")


def _lookups(actor: Actor, scope: frozenset[ObjectId]) -> dict[str, Lookup]:
    return {
        "label": partial(names.labels, scope=scope),
        "status": partial(names.statuses, scope=scope),
        "person": partial(_people, scope=scope),
        "project": partial(names.projects, actor=actor),
        "task": partial(_tasks, actor=actor),
    }


def _people(keys: Collection[ObjectId], scope: frozenset[ObjectId]) -> dict[ObjectId, Known]:
    """Members, and those who are none any more while tasks still say them."""
    found = names.members(keys, scope)
    return found | {key: Known(key) for key in keys if key not in found and _named_by_tasks(key, scope)}


def _named_by_tasks(user_id: ObjectId, scope: frozenset[ObjectId]) -> bool:
    marks = {"marks": {"$in": [f"a:{user_id}", f"w:{user_id}"]}}
    query = {"project_id": {"$in": list(scope)}, "$or": [{"reporter_id": user_id}, marks]}
    return Task.objects(__raw__=query).only("id").first() is not None


def _tasks(keys: Collection[ObjectId], actor: Actor) -> dict[ObjectId, Known]:
    """Tasks that the actor may see, also in the trash."""
    found = Task.objects(id__in=list(keys), project_id__in=list(actor.project_roles)).scalar("id")
    return {task_id: Known(task_id) for task_id in found}


def _custom(condition: Condition) -> str:
    family, _, key = condition.field.stored.partition(".")
    return key if family == CUSTOM_FIELDS else ""


def _kinds(fields: list[CustomField], scope: frozenset[ObjectId], *, contains: bool) -> KindsOf:
    """The kind of a field by its type and options. What a select `contains` is asked as of any text."""
    alike: dict[Any, list[CustomField]] = {}
    for field in fields:
        alike.setdefault((field.type, tuple(field.options)), []).append(field)
    types = _KINDS | ({"select": _KINDS["text"]} if contains else {})
    return [(_places(group, scope), types[group[0].type](group[0], scope)) for group in alike.values()]


def _places(fields: list[CustomField], scope: frozenset[ObjectId]) -> Filter | None:
    """The projects of these fields; None for all. Said in a way that no index answers: lists are read by project, and
    a project that contradicts the others would make MongoDB sort what it found."""
    ids = {field.project_id for field in fields}
    return None if ids == scope else {"$nor": [{"project_id": {"$nin": sorted(ids)}}]}


def _choice(field: CustomField, scope: frozenset[ObjectId]) -> kinds.Choice:
    return kinds.Choice(field.options, lambda text: _option(field, text, scope))


def _option(field: CustomField, text: str, scope: frozenset[ObjectId]) -> str | None:
    """The option of this name; one that is offered no more is known as long as a task has it."""
    for option in field.options:
        if text == option or name_key(text) == name_key(option):
            return option
    held = {"project_id": {"$in": list(scope)}, f"{CUSTOM_FIELDS}.{field.key}": text}
    return text if Task.objects(__raw__=held).only("id").first() else None


_KINDS: dict[str, Callable[[CustomField, frozenset[ObjectId]], Any]] = {
    "text": lambda field, scope: kinds.Words(),
    "number": lambda field, scope: kinds.Number(),
    "date": lambda field, scope: moments.Day(),
    "select": _choice,
    "user": lambda field, scope: kinds.PersonText(),
    "checkbox": lambda field, scope: kinds.Checkbox(),
}
