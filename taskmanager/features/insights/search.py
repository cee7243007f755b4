"""Search for tasks: by key, by the beginnings of words of the title, and by any words of title and description.

Tasks are found by their tokens (see `search_tokens`), in indexes that begin with the project: what other projects have
costs nothing. Of scripts that are written without spaces, and of emoji, any part is found.
"""

import html
import re
from collections.abc import Callable, Iterable
from typing import Any

from bson import ObjectId

from taskmanager.core.search_tokens import Term, fold, tokens_of
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.collation import natural_key
from taskmanager.core.storage.querysets import Filter, Row
from taskmanager.features.insights import search_query
from taskmanager.features.insights.search_query import TITLE, Query, alternatives, begins, rarest, unindexed
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.listing import matching
from taskmanager.features.tasks.models import Task

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}(?:-[0-9]{0,9})?")
_MAX_SNIPPET_CHARACTERS = 160  # characters of a description that are shown
MAX_CANDIDATES = 1_000  # tasks that are compared to find those that fit best

Way = tuple[str, Callable[[int], list[Row]]]


def search(
    text: str, limit: int, *, actor: Actor, project_id: ObjectId | None = None, fields: Iterable[str] = ()
) -> list[Row]:
    """Return the tasks that fit best, at most `limit`: [{task: row, matched: key | title | text, highlights: {…}}].

    First those whose key begins with the text, then those whose title has words that begin with each word of it, then
    those that have all of its words anywhere, then those that have one, each best first; `"…"` is a phrase and `-word`
    leaves tasks with it out. Raises NotFound, TooMany, Unavailable (`query.too_slow`).
    """
    seen, query = matching(None, actor, project_id), search_query.read(text)
    found: dict[ObjectId, Row] = {}
    with expensive(actor):
        for matched, look in _ways(text, query, seen, list(fields)):
            if len(found) < limit:
                for row in look(limit):
                    found.setdefault(row["_id"], {"task": row, "matched": matched})
        hits = list(found.values())[:limit]
        descriptions = _descriptions(seen, [hit["task"]["_id"] for hit in hits])
    return [
        hit | {"highlights": _highlights(hit["task"]["title"], descriptions.get(hit["task"]["_id"]), query.terms)}
        for hit in hits
    ]


def _descriptions(seen: Any, ids: list[ObjectId]) -> dict[ObjectId, str]:
    """Return the descriptions of what was found, which may be long: of nothing else, and once."""
    rows = seen.filter(__raw__={"_id": {"$in": ids}}).rows(len(ids), ["description"]) if ids else []
    return {row["_id"]: row["description"] for row in rows if "description" in row}


def _ways(text: str, query: Query, seen: Any, fields: list[str]) -> list[Way]:
    ways: list[Way] = []
    if _KEY.fullmatch(text.strip()):
        ways.append(("key", lambda limit: _by_key(seen, text.strip().upper(), fields, limit)))
    if query.terms:
        ways.append(("title", lambda limit: _by_title(seen, query, fields, limit)))
        ways.append(("text", lambda limit: _with_all(seen, query, fields, limit)))
    if len(query.terms) > 1:
        ways.append(("text", lambda limit: _with_any(seen, query, fields, limit)))
    return ways


def _by_key(seen: Any, key: str, fields: list[str], limit: int) -> list[Row]:
    rows = seen.filter(__raw__={"key": {"$regex": f"^{re.escape(key)}"}}).rows(limit, fields, [("key", 1)])
    return sorted(rows, key=lambda row: natural_key(row["key"]))


def _by_title(seen: Any, query: Query, fields: list[str], limit: int) -> list[Row]:
    rows = seen.filter(__raw__={"$and": [_in_title(query.terms), *query.conditions]}).rows(limit, fields)
    asked = {token for term in query.terms for token in term.ways[0]}
    return sorted(rows, key=lambda row: (-len(asked & set(tokens_of(row["title"]))), fold(row["title"]), row["_id"]))


def _in_title(terms: list[Term]) -> Filter:
    """Return the condition that a title has words that begin with all terms.

    An index of lists takes in one condition on them: of each way of the term that should be found least often, the
    longest beginning. The others are said in a way that no index answers, so that MongoDB does not choose one of them.
    """
    return {"$and": [_any_way(term, looked_up=term is rarest(terms)) for term in terms]}


def _any_way(term: Term, *, looked_up: bool) -> Filter:
    ways = [_all_of(way, looked_up) for way in term.ways]
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _all_of(way: tuple[str, ...], looked_up: bool) -> Filter:
    longest = max(way, key=len) if looked_up else None
    first = [] if longest is None else [{TITLE: begins(longest)}]
    return {"$and": [*first, *({"$nor": [{TITLE: {"$not": begins(token)}}]} for token in way if token != longest)]}


def _with_all(seen: Any, query: Query, fields: list[str], limit: int) -> list[Row]:
    """Return those that have all terms, in title or description: the rarest is looked up, the others are compared."""
    first = rarest(query.terms)
    others = [unindexed(alternatives(term)) for term in query.terms if term is not first]
    return _best(seen, alternatives(first), [*others, *query.conditions], query, fields, limit)


def _with_any(seen: Any, query: Query, fields: list[str], limit: int) -> list[Row]:
    """Return those that have one term at least, in title or description."""
    some = [one for term in query.terms for one in alternatives(term)]
    return _best(seen, some, query.conditions, query, fields, limit)


def _best(
    seen: Any, some: list[Filter], conditions: list[Filter], query: Query, fields: list[str], limit: int
) -> list[Row]:
    """Return the best of MAX_CANDIDATES tasks for which one of `some`, each with an index, and all conditions hold."""
    either = {"$or": [{"$and": [seen._query, one]} for one in some]}
    found = Task.objects(__raw__={"$and": [either, *conditions]})
    ranked = ({"$set": {"score": search_query.score(query.terms)}}, {"$sort": {"score": -1, "_id": 1}})
    return found.piped_rows(fields, {"$limit": MAX_CANDIDATES}, *ranked, {"$limit": limit})


def _highlights(title: str, description: str | None, terms: list[Term]) -> dict[str, str | None]:
    """Return title and a part of the description as HTML, with `<mark>` around what begins with one of the terms."""
    if not terms:
        return {"title": html.escape(title), "description": None}
    mark = re.compile("|".join(_pattern(term) for term in terms), re.IGNORECASE)
    description = description or ""
    first = mark.search(description)
    return {
        "title": _marked(title, mark),
        "description": _marked(_part(description, first.start()), mark) if first else None,
    }


def _pattern(term: Term) -> str:
    if not term.spaced:
        return re.escape(term.text)
    return rf"\b(?:{'|'.join(re.escape(part) for part in {term.text, *sum(term.ways, ())})})\w*"


def _part(text: str, place: int) -> str:
    begin = max(0, place - _MAX_SNIPPET_CHARACTERS // 4)
    part = text[begin : begin + _MAX_SNIPPET_CHARACTERS]
    return ("…" if begin else "") + part + ("…" if begin + _MAX_SNIPPET_CHARACTERS < len(text) else "")


def _marked(text: str, mark: re.Pattern[str]) -> str:
    parts, end = [], 0
    for match in mark.finditer(text):
        parts += [html.escape(text[end : match.start()]), f"<mark>{html.escape(match.group())}</mark>"]
        end = match.end()
    return "".join([*parts, html.escape(text[end:])])
