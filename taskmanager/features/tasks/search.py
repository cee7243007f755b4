"""Search for tasks: by key, by the beginnings of words of the title, and by any words of title and description."""

import html
import re
from collections.abc import Callable, Iterable
from typing import Any

from bson import ObjectId

from taskmanager.core.access import Actor
from taskmanager.core.database import bounded
from taskmanager.core.querysets import Row
from taskmanager.features.tasks.finding import LONGEST_SECONDS, matching
from taskmanager.features.tasks.models import words_of

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9]{0,9}(?:-[0-9]{0,9})?")
_SNIPPET = 160  # characters of a description that are shown
_MOST_WORDS = 10


def search(
    text: str, limit: int, *, actor: Actor, project_id: ObjectId | None = None, fields: Iterable[str] = ()
) -> list[Row]:
    """The tasks that fit best, at most `limit`: [{task: row, matched: key | title | text, highlights: {…}}].

    First those whose key begins with the text, then those whose title has words that begin with each word of it, then
    those that have one of its words anywhere, best first; `"…"` is a phrase and `-word` leaves tasks with it out.
    Raises NotFound, Unavailable (`query.too_slow`).
    """
    seen, words = matching(None, actor, project_id), words_of(text)[:_MOST_WORDS]
    found: dict[ObjectId, Row] = {}
    with bounded(LONGEST_SECONDS):
        for matched, look in _ways(text, words, seen, list(fields)):
            if len(found) < limit:
                for row in look(limit):
                    found.setdefault(row["_id"], {"task": row, "matched": matched})
        hits = list(found.values())[:limit]
        descriptions = _descriptions(seen, [hit["task"]["_id"] for hit in hits])
    return [
        hit | {"highlights": _highlights(hit["task"]["title"], descriptions.get(hit["task"]["_id"]), words)}
        for hit in hits
    ]


def _descriptions(seen: Any, ids: list[ObjectId]) -> dict[ObjectId, str]:
    """The descriptions of what was found, which may be long: of nothing else, and once."""
    rows = seen.filter(__raw__={"_id": {"$in": ids}}).rows(len(ids), ["description"]) if ids else []
    return {row["_id"]: row["description"] for row in rows if "description" in row}


def _ways(text: str, words: list[str], seen: Any, fields: list[str]) -> list[tuple[str, Callable[[int], list[Row]]]]:
    ways: list[tuple[str, Callable[[int], list[Row]]]] = []
    if _KEY.fullmatch(text.strip()):
        ways.append(("key", lambda limit: _by_key(seen, text.strip().upper(), fields, limit)))
    if words:
        ways.append(("title", lambda limit: _by_title(seen, words, fields, limit)))
        ways.append(("text", lambda limit: _by_text(seen, text, fields, limit)))
    return ways


def _by_key(seen: Any, key: str, fields: list[str], limit: int) -> list[Row]:
    return seen.filter(__raw__={"key": {"$regex": f"^{re.escape(key)}"}}).rows(limit, fields, [("key", 1)])


def _by_title(seen: Any, words: list[str], fields: list[str], limit: int) -> list[Row]:
    longest = max(words, key=len)  # an index of lists takes in one condition on them: the one that should find least
    begun = [{"words": {"$regex": f"^{re.escape(longest)}"}}]
    others = [word for word in words if word != longest]
    begun += [{"title": {"$regex": rf"(*UCP)(?<!\w){re.escape(word)}", "$options": "i"}} for word in others]
    rows = seen.filter(__raw__={"$and": begun}).rows(limit, fields)
    return sorted(rows, key=lambda row: (-len(set(words) & set(words_of(row["title"]))), row["title"]))


def _by_text(seen: Any, text: str, fields: list[str], limit: int) -> list[Row]:
    best_first = [("score", {"$meta": "textScore"})]
    return seen.filter(__raw__={"$text": {"$search": text}}).rows(limit, fields, best_first)


def _highlights(title: str, description: str | None, words: list[str]) -> dict[str, str | None]:
    """Title and a part of the description as HTML, with `<mark>` around what begins with one of the words."""
    if not words:
        return {"title": html.escape(title), "description": None}
    mark = re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\w*", re.IGNORECASE)
    description = description or ""
    first = mark.search(description)
    return {
        "title": _marked(title, mark),
        "description": _marked(_part(description, first.start()), mark) if first else None,
    }


def _part(text: str, place: int) -> str:
    begin = max(0, place - _SNIPPET // 4)
    part = text[begin : begin + _SNIPPET]
    return ("…" if begin else "") + part + ("…" if begin + _SNIPPET < len(text) else "")


def _marked(text: str, mark: re.Pattern[str]) -> str:
    parts, end = [], 0
    for match in mark.finditer(text):
        parts += [html.escape(text[end : match.start()]), f"<mark>{html.escape(match.group())}</mark>"]
        end = match.end()
    return "".join([*parts, html.escape(text[end:])])
