"""The query of a search text: words, `"phrases"`, and exclusions (`-word`, `-"phrase"`).

Each part becomes a condition on the tokens of a task (see `search_tokens`), or on its texts.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from taskmanager.core.search_tokens import Term, fold, terms_of
from taskmanager.core.storage.orders import Filter

TITLE, DESCRIPTION = "words", "description_tokens"
FIELDS = {TITLE: 10, DESCRIPTION: 2}  # the searched fields, and the weight of a term in each
MAX_TERMS = 10
_PART = re.compile(r'(?P<minus>(?<!\S)-)?(?:"(?P<phrase>[^"]+)"|(?P<words>[^\s"]+))')
_UNSPACED_FROM = "\u0e00"  # characters from here on may belong to scripts without spaces


@dataclass(frozen=True)
class Query:
    """The terms of words and phrases, and the conditions of phrases and exclusions."""

    terms: list[Term]
    conditions: list[Filter]


def read(text: str) -> Query:
    """Return the query of a search text."""
    parts = list(_PART.finditer(text))
    wanted = [part for part in parts if not part["minus"]]
    unwanted = [part for part in parts if part["minus"]]
    terms = terms_of(" ".join(part["phrase"] or part["words"] for part in wanted), MAX_TERMS)
    phrases = [_phrase(part["phrase"]) for part in wanted if part["phrase"]]
    without = [_phrase(part["phrase"]) for part in unwanted if part["phrase"]]
    without += [found for part in unwanted if part["words"] for found in _anywhere(terms_of(part["words"], MAX_TERMS))]
    conditions = [found for found in phrases if found]
    return Query(terms, [*conditions, *({"$nor": [found]} for found in without if found)])


def _anywhere(terms: Iterable[Term]) -> list[Filter]:
    return [{"$or": alternatives(term)} for term in terms]


def alternatives(term: Term) -> list[Filter]:
    """Return the conditions of which a task with the term matches at least one, each on one list of tokens."""
    return [has(field, way, exact=term.spaced) for field in FIELDS for way in term.ways]


def has(field: str, way: tuple[str, ...], *, exact: bool) -> Filter:
    """Return the condition that a list of tokens has all tokens of a way, exact or as beginnings."""
    parts = [{field: token if exact else begins(token)} for token in way]
    return parts[0] if len(parts) == 1 else {"$and": parts}


def unindexed(some: list[Filter]) -> Filter:
    """Return the condition that one of the conditions holds, in a form that prevents the use of an index."""
    return {"$nor": [{"$nor": some}]}


def begins(token: str) -> Filter:
    """Return the condition that a value begins with the token."""
    return {"$regex": f"^{re.escape(token)}"}


def rarest(terms: list[Term]) -> Term:
    """Return the term that is probably the rarest: the one with the longest token."""
    return max(terms, key=lambda term: min(len(max(way, key=len)) for way in term.ways))


def score(terms: list[Term]) -> dict[str, Any]:
    """Return the expression for the rank of a task: the sum of the weights of the terms that it has."""
    return {"$add": [_points(field, term) for field in FIELDS for term in terms]}


def _points(field: str, term: Term) -> dict[str, Any]:
    tokens = {"$ifNull": [f"${field}", []]}
    found = {"$or": [{"$setIsSubset": [{"$literal": list(way)}, tokens]} for way in term.ways]}
    return {"$cond": [found, FIELDS[field], 0]}


def _phrase(text: str) -> Filter | None:
    """Return the condition that a title or description has these words in sequence; None without words."""
    words = re.findall(r"\w+", text)
    if not words:
        return None
    begin = r"(?<![\p{L}\p{N}])" if words[0][0] < _UNSPACED_FROM else ""
    end = r"(?![\p{L}\p{N}])" if words[-1][-1] < _UNSPACED_FROM else ""
    pattern = begin + r"[^\p{L}\p{N}]+".join("".join(map(_variants, word)) for word in words) + end
    return {"$or": [{field: {"$regex": pattern, "$options": "i"}} for field in ("title", "description")]}


def _variants(character: str) -> str:
    """Return the pattern of a character with any accents."""
    variants = _folded().get(fold(character), set()) | {character}
    return f"[{''.join(sorted(map(re.escape, variants)))}][\u0300-\u036f]*"


@cache
def _folded() -> dict[str, set[str]]:
    """Return the letters of Latin, Greek and Cyrillic by their folded form, if that is one character."""
    found: dict[str, set[str]] = defaultdict(set)
    for character in map(chr, [*range(0x41, 0x530), *range(0x1E00, 0x2000)]):
        if character.isalpha() and len(folded := fold(character)) == 1:
            found[folded].add(character)
    return found
