"""A filter as queries that an index answers in the order of a list."""

from taskmanager.core.filters.nodes import AllOf, AnyOf, Context, Node
from taskmanager.core.storage.querysets import Filter

_MAX_BRANCHES = 16


def branches(node: Node, context: Context) -> list[Filter]:
    """Return queries one of which holds where the node does, each without an "or" of its own as far as that stays few.

    MongoDB answers each from an index, in the order that is wanted, and merges them; it does not split an "or" that
    stands inside of an "and".
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
    """Return the branches of a condition that is itself an "or", such as one on times on the wall."""
    return [flat for part in query["$or"] for flat in _flat(part)] if query.keys() == {"$or"} else [query]
