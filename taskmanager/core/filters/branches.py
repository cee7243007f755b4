"""A filter as several queries, each of which an index can serve in the order of a list."""

from taskmanager.core.filters.nodes import AllOf, AnyOf, Context, Node
from taskmanager.core.storage.querysets import Filter

_MAX_BRANCHES = 16


def branches(node: Node, context: Context) -> list[Filter]:
    """Return queries whose union is the node, each without an "or" of its own, unless that takes more than 16 queries.

    MongoDB serves each from an index, in the order of the list, and merges the results; it does not split an "or"
    inside an "and".
    """
    split = _split(node, context)
    return split if len(split) <= _MAX_BRANCHES else [node.query(context)]


def _split(node: Node, context: Context) -> list[Filter]:
    if isinstance(node, AnyOf):
        return [query for part in node.parts for query in _split(part, context)]
    if isinstance(node, AllOf):
        found: list[list[Filter]] = [[]]
        for part in node.parts:
            found = [[*before, query] for before in found for query in _split(part, context)]
            if len(found) > _MAX_BRANCHES:
                return [node.query(context)]
        return [{"$and": queries} for queries in found]
    return _flat(node.query(context))


def _flat(query: Filter) -> list[Filter]:
    """Return the branches of a condition that is itself an "or", such as a condition on local times."""
    return [flat for part in query["$or"] for flat in _flat(part)] if query.keys() == {"$or"} else [query]
