"""Name resolution of filters: names must exist, and fields of families get their kind.

The caller passes the lookups, because features know which names exist. A name that does not resolve raises FilterError
with its column, so that a filter never matches more than it says.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from bson import ObjectId

from taskmanager.core.filters.nodes import (
    Condition,
    FieldKind,
    FilterField,
    Given,
    GivenFilter,
    Mention,
    Node,
    Readings,
)
from taskmanager.core.filters.tokens import FilterError
from taskmanager.core.storage.orders import Filter

UNKNOWN, TOO_WIDE = "filter.unknown_name", "filter.too_wide"


@dataclass(frozen=True)
class Known:
    """What a name stands for, and the projects in which it is known; None means all projects."""

    meaning: Any
    places: frozenset[ObjectId] | None = None


# {kind of name, such as "label": {key: known name}}
KnownNames = Mapping[str, Mapping[Any, Known]]
# Returns the known ones of some keys of one kind of name.
Lookup = Callable[[Collection[Any]], Mapping[Any, Known]]


def meanings(
    node: Node,
    known: KnownNames,
    *,
    references: Mapping[int, list[ObjectId]] | None = None,
    everywhere: frozenset[ObjectId] = frozenset(),
) -> dict[int, Any]:
    """Return what each name in a filter stands for: {column: meaning}.

    `known` is the result of `look_up`; `references` has the ids that names had when the filter was stored, by column.
    A name in a negative condition must be known in all projects of `everywhere`. Raises FilterError.
    """
    stored = references or {}
    mentions = list(node.mentions())
    found = {}
    for mention in mentions:
        matches = [
            known[mention.named.sort][key] for key in _keys_of(mention, stored) if key in known[mention.named.sort]
        ]
        if not matches:
            raise _unknown(mention)
        if mention.negative and any(match.places is not None and not everywhere <= match.places for match in matches):
            raise _unknown(mention, "is not in every project that is asked: give the project.")
        found[mention.given.column] = _meaning(matches)
    return found


def look_up(lookups: Mapping[str, Lookup], filters: Iterable[GivenFilter]) -> KnownNames:
    """Return the known names of some filters, with one lookup for each kind of name."""
    keys: dict[str, set[Any]] = {}
    for given in filters:
        for mention in given.node.mentions():
            keys.setdefault(mention.named.sort, set()).update(_keys_of(mention, given.references))
    return {sort: lookups[sort](wanted) for sort, wanted in keys.items()}


def _keys_of(mention: Mention, stored: Mapping[int, list[ObjectId]]) -> list[Any]:
    return stored.get(mention.given.column) or [mention.named.key]


def _meaning(matches: list[Known]) -> Any:
    if len(matches) == 1:
        return matches[0].meaning
    return [item for match in matches for item in match.meaning]


def _unknown(mention: Mention, problem: str = "") -> FilterError:
    problem = problem or f"is no {mention.named.sort} that is known here."
    return FilterError(mention.given.column, f"{mention.given.text[:50]!r} {problem}", UNKNOWN)


# Pairs of a query for some rows (None: all rows), and the kind that the field has in them.
KindsOf = list[tuple[Filter | None, FieldKind]]


def readings(condition: Condition, kinds: KindsOf) -> Readings:
    """Return the condition for each kind that its field has, with the values that fit this kind, if there are any.

    Raises FilterError when the field has no kind here, no kind has the operator, or a value fits no kind.
    """
    name = condition.field.stored
    if not kinds:
        raise FilterError(condition.column, f"{name[:60]!r} is no custom field that is known here.", UNKNOWN)
    able = [(places, kind) for places, kind in kinds if condition.operator in kind.operators]
    if not able:
        known = ", ".join(sorted(kinds[0][1].operators))
        raise FilterError(condition.operator_column, f"{name} can be asked with {known}.")
    fitting = [(places, kind, list(_fitting(condition.given, kind))) for places, kind in able]
    for given in condition.given:
        if not any(given.column == other.column for _, _, found in fitting for other in found):
            _read(given, able[0][1])  # raises the reason
    return [
        (places, replace(condition, field=FilterField(name, kind), given=tuple(found)))
        for places, kind, found in fitting
        if found or not condition.given
    ]


def _fitting(values: tuple[Given, ...], kind: FieldKind) -> Iterator[Given]:
    for given in values:
        try:
            yield _read(given, kind)
        except FilterError:
            continue


def _read(given: Given, kind: FieldKind) -> Given:
    try:
        return replace(given, value=kind.read(given.text))
    except ValueError as error:
        raise FilterError(given.column, f"{given.text[:50]!r} {error}", "filter.invalid_value") from None
