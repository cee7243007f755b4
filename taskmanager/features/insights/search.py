"""Search for tasks: by key, by the beginnings of words of the title, and by any words of title and description.

Tasks are found by their tokens (see `search_tokens`), in indexes that begin with the project: the tasks of other
projects cost nothing. In scripts without spaces, and of emoji, any part of a text is found.
"""

import html
import re
from collections.abc import Callable, Iterable

from bson import ObjectId

from taskmanager.core.search_tokens import Term, fold, tokens_of
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter, Row, natural_key
from taskmanager.features.insights import search_query
from taskmanager.features.insights.search_query import TITLE, Query, alternatives, begins, rarest, unindexed
from taskmanager.features.tasks.filtering.expensive import expensive
from taskmanager.features.tasks.listing import matching
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.querysets import TaskQuerySet

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}(?:-[0-9]{0,9})?")
_MAX_SNIPPET_CHARACTERS = 160  # of a description, in the highlights
MAX_CANDIDATES = 1_000  # tasks that are ranked to find the best

Step = tuple[str, Callable[[int], list[Row]]]


def search(
    text: str, limit: int, *, actor: Actor, project_id: ObjectId | None = None, fields: Iterable[str] = ()
) -> list[Row]:
    """Return the best tasks, at most `limit`: [{task: row, matched: key | title | text, highlights: {…}}].

    First the tasks whose key begins with the text, then those whose title has words that begin with each of its words,
    then those that have all of its words anywhere, then those that have one, each group with the best first. `"…"` is a
    phrase, and `-word` excludes tasks with the word. Raises NotFound, TooMany, Unavailable (`query.too_slow`).
    """
    tasks, query = matching(None, actor, project_id), search_query.read(text)
    found: dict[ObjectId, Row] = {}
    with expensive(actor):
        for matched, find in _steps(text, query, tasks, list(fields)):
            if len(found) < limit:
                for row in find(limit):
                    found.setdefault(row["_id"], {"task": row, "matched": matched})
        hits = list(found.values())[:limit]
        descriptions = _descriptions(tasks, [hit["task"]["_id"] for hit in hits])
    return [
        hit | {"highlights": _highlights(hit["task"]["title"], descriptions.get(hit["task"]["_id"]), query.terms)}
        for hit in hits
    ]


def _descriptions(tasks: TaskQuerySet, ids: list[ObjectId]) -> dict[ObjectId, str]:
    """Return the descriptions of the hits; they may be long, so they are read for the hits only."""
    rows = tasks.filter(__raw__={"_id": {"$in": ids}}).rows(len(ids), ["description"]) if ids else []
    return {row["_id"]: row["description"] for row in rows if "description" in row}


def _steps(text: str, query: Query, tasks: TaskQuerySet, fields: list[str]) -> list[Step]:
    steps: list[Step] = []
    if _KEY.fullmatch(text.strip()):
        steps.append(("key", lambda limit: _by_key(tasks, text.strip().upper(), fields, limit)))
    if query.terms:
        steps.append(("title", lambda limit: _by_title(tasks, query, fields, limit)))
        steps.append(("text", lambda limit: _with_all(tasks, query, fields, limit)))
    if len(query.terms) > 1:
        steps.append(("text", lambda limit: _with_any(tasks, query, fields, limit)))
    return steps


def _by_key(tasks: TaskQuerySet, key: str, fields: list[str], limit: int) -> list[Row]:
    rows = tasks.filter(__raw__={"key": {"$regex": f"^{re.escape(key)}"}}).rows(limit, fields, [("key", 1)])
    return sorted(rows, key=lambda row: natural_key(row["key"]))


def _by_title(tasks: TaskQuerySet, query: Query, fields: list[str], limit: int) -> list[Row]:
    rows = tasks.filter(__raw__={"$and": [_in_title(query.terms), *query.conditions]}).rows(limit, fields)
    exact = {token for term in query.terms for token in term.ways[0]}
    return sorted(rows, key=lambda row: (-len(exact & set(tokens_of(row["title"]))), fold(row["title"]), row["_id"]))


def _in_title(terms: list[Term]) -> Filter:
    """Return the condition that a title has words that begin with all terms.

    An index can be used for one condition on the title: for each way of the rarest term its longest token. The form of
    the other conditions prevents the use of an index, so that MongoDB does not choose one of them.
    """
    return {"$and": [_any_way(term, looked_up=term is rarest(terms)) for term in terms]}


def _any_way(term: Term, *, looked_up: bool) -> Filter:
    ways = [_all_of(way, looked_up) for way in term.ways]
    return ways[0] if len(ways) == 1 else {"$or": ways}


def _all_of(way: tuple[str, ...], looked_up: bool) -> Filter:
    longest = max(way, key=len) if looked_up else None
    first = [] if longest is None else [{TITLE: begins(longest)}]
    return {"$and": [*first, *({"$nor": [{TITLE: {"$not": begins(token)}}]} for token in way if token != longest)]}


def _with_all(tasks: TaskQuerySet, query: Query, fields: list[str], limit: int) -> list[Row]:
    """Return the tasks that have all terms in title or description; the index is used for the rarest term."""
    first = rarest(query.terms)
    others = [unindexed(alternatives(term)) for term in query.terms if term is not first]
    return _best(tasks, alternatives(first), [*others, *query.conditions], query, fields, limit)


def _with_any(tasks: TaskQuerySet, query: Query, fields: list[str], limit: int) -> list[Row]:
    """Return the tasks that have at least one term in title or description."""
    some = [one for term in query.terms for one in alternatives(term)]
    return _best(tasks, some, query.conditions, query, fields, limit)


def _best(
    tasks: TaskQuerySet, some: list[Filter], conditions: list[Filter], query: Query, fields: list[str], limit: int
) -> list[Row]:
    """Return the best of MAX_CANDIDATES tasks that match one of `some`, each with an index, and all `conditions`."""
    either = {"$or": [{"$and": [tasks._query, one]} for one in some]}
    found = Task.objects(__raw__={"$and": [either, *conditions]})
    ranked = ({"$set": {"score": search_query.score(query.terms)}}, {"$sort": {"score": -1, "_id": 1}})
    return found.piped_rows(fields, {"$limit": MAX_CANDIDATES}, *ranked, {"$limit": limit})


def _highlights(title: str, description: str | None, terms: list[Term]) -> dict[str, str | None]:
    """Return title and a part of the description as HTML, with `<mark>` around words that begin with a term."""
    if not terms:
        return {"title": html.escape(title), "description": None}
    mark = re.compile("|".join(_pattern(term) for term in terms), re.IGNORECASE)
    description = description or ""
    first = mark.search(description)
    return {
        "title": _marked(title, mark),
        "description": _marked(_snippet(description, first.start()), mark) if first else None,
    }


def _pattern(term: Term) -> str:
    if not term.spaced:
        return re.escape(term.text)
    return rf"\b(?:{'|'.join(re.escape(part) for part in {term.text, *sum(term.ways, ())})})\w*"


def _snippet(text: str, match_start: int) -> str:
    begin = max(0, match_start - _MAX_SNIPPET_CHARACTERS // 4)
    part = text[begin : begin + _MAX_SNIPPET_CHARACTERS]
    return ("…" if begin else "") + part + ("…" if begin + _MAX_SNIPPET_CHARACTERS < len(text) else "")


def _marked(text: str, mark: re.Pattern[str]) -> str:
    parts, end = [], 0
    for match in mark.finditer(text):
        parts += [html.escape(text[end : match.start()]), f"<mark>{html.escape(match.group())}</mark>"]
        end = match.end()
    return "".join([*parts, html.escape(text[end:])])
