"""Stored filters, of views and webhooks: their names keep the meaning that they had when the filter was stored.

`references` are stored beside the text: for each name of a label its ids and its columns. Queries use the ids;
responses have the text with the current names of the labels. Statuses, custom fields, people, projects and tasks are
written by keys and ids, which never change.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from bson import ObjectId

from taskmanager.core.errors import TooMany, Unavailable
from taskmanager.core.filters.nodes import GivenFilter, Mention
from taskmanager.core.filters.parser import parse
from taskmanager.core.filters.tokens import FilterError, written
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.features.projects.models import Label
from taskmanager.features.tasks.filtering.fields import FIELDS
from taskmanager.features.tasks.filtering.names import Directory, bind

FIELDS_NEEDED = ("filter", "references")  # of a stored row, for `current`
_SEVERAL = {"=": "in", "!=": "not in"}


def storable(changes: Mapping[str, Any], actor: Actor, project_ids: Collection[ObjectId]) -> Row:
    """Return `changes` with the references of the filter, if they have one.

    Raises Invalid when a name in the filter does not exist in these projects.
    """
    if "filter" not in changes:
        return dict(changes)
    if not changes["filter"]:
        return {**changes, "references": []}
    node = parse(changes["filter"], FIELDS)
    _, context = bind(GivenFilter(node, "body.filter"), actor, project_ids)
    return {
        **changes,
        "references": [reference(mention, context.named) for mention in node.mentions() if named(mention)],
    }


def named(mention: Mention) -> bool:
    """Return whether this is a name that can change, as those of labels."""
    return mention.named.sort == "label" and isinstance(mention.named.key, str)


def reference(mention: Mention, meanings: Mapping[int, Any]) -> Row:
    """Return what is stored for a name: its columns, its ids, and the column of an operator for one value."""
    given, condition = mention.given, mention.condition
    found = {"column": given.column, "end": given.end, "key": mention.named.key, "ids": list(meanings[given.column])}
    operator = condition.operator if condition.operator in _SEVERAL else None
    return found | ({"operator": operator, "operator_column": condition.operator_column} if operator else {})


def given(row: Mapping[str, Any], location: str, scope: Iterable[ObjectId] | None = None) -> GivenFilter | None:
    """Return the filter of a stored row; None when it has none. Raises FilterError for an invalid one."""
    if not row.get("filter"):
        return None
    references = {item["column"]: list(item["ids"]) for item in row.get("references", ())}
    return GivenFilter(parse(row["filter"], FIELDS), location, references, scope)


def current(rows: Sequence[Row], actor: Actor, project_ids: Collection[ObjectId]) -> list[Row]:
    """Return the rows, each with `current`: the fields that change without a new revision.

    These are `filter`, when labels have other names now, and `filter_problem`, when a name in it does not exist any
    more. Problems are left out when the lookup takes too long.
    """
    filters = [_readable(row) for row in rows]
    directory = _directory(actor, project_ids, [one for one in filters if isinstance(one, GivenFilter)])
    labels = _names([item for row in rows for item in row.get("references", ())])
    return [
        row | {"current": _current_filter(row, labels) | _problem(one, directory)}
        for row, one in zip(rows, filters, strict=True)
    ]


def asked(row: Row, names: Collection[str] | None) -> Row:
    """Return the fields of `current` that a client requested."""
    return {name: value for name, value in row["current"].items() if not names or name in names}


def _readable(row: Row) -> GivenFilter | FilterError | None:
    try:
        return given(row, "filter")
    except FilterError as error:
        return error


def _directory(actor: Actor, project_ids: Collection[ObjectId], filters: list[GivenFilter]) -> Directory | None:
    """Return the directory of the names; None when the lookup takes too long, so that the list is still returned."""
    try:
        return Directory(actor, project_ids, filters)
    except (TooMany, Unavailable, FilterError):
        return None


def _problem(one: GivenFilter | FilterError | None, directory: Directory | None) -> Row:
    try:
        if isinstance(one, FilterError):
            raise one
        if one and directory:
            directory.bound(one)
    except FilterError as error:
        return {"filter_problem": str(error)}
    return {}


def _names(references: list[Row]) -> dict[ObjectId, Label]:
    ids = [label_id for item in references for label_id in item["ids"]]
    return {label.id: label for label in Label.objects(id__in=ids)} if ids else {}


def _current_filter(row: Row, labels: Mapping[ObjectId, Label]) -> Row:
    text = row.get("filter") or ""
    edits: dict[tuple[int, int], str] = {}
    for item in row.get("references", ()):
        names = {label.name_key: label.name for label_id in item["ids"] if (label := labels.get(label_id))}
        if names and names.keys() != {item["key"]}:
            edits |= _edits(text, item, list(names.values()))
    for (begin, end), replacement in sorted(edits.items(), reverse=True):
        text = text[: begin - 1] + replacement + text[end - 1 :]
    return {"filter": text} if edits else {}


def _edits(text: str, item: Row, names: list[str]) -> dict[tuple[int, int], str]:
    """Return the replacements {(begin, end): text}: one name, or a list when the labels have several names now."""
    columns = (item["column"], item["end"])
    replacement = ", ".join(map(written, names))
    if len(names) == 1 or not item.get("operator"):
        return {columns: replacement}
    begin = item["operator_column"]
    operator = (begin, begin + len(item["operator"]))
    return {columns: f"[{replacement}]", operator: _spaced(text, *operator, _SEVERAL[item["operator"]])}


def _spaced(text: str, begin: int, end: int, word: str) -> str:
    """Return a word that replaces an operator, with a space on each side."""
    before, after = text[begin - 2], text[end - 1]
    return ("" if before.isspace() else " ") + word + ("" if after.isspace() else " ")
