"""Search tokens of tasks: words, pairs of characters of scripts without spaces (bigrams), emoji.

Texts and queries are folded in the same way: compatibility forms (NFKD), case, accents of Latin, Greek and Cyrillic,
points of Hebrew and Arabic make no difference. A query matches prefixes of tokens.
"""

import re
import sys
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

_MAX_WORD_CHARACTERS = 40
MAX_TOKENS = 512  # of a title, which has at most 500 characters
MAX_DESCRIPTION_TOKENS = 3_000

# Diacritics of Latin, Greek and Cyrillic; points of Hebrew and Arabic, and the Arabic tatweel; variation selectors.
_IGNORED = re.compile("[\u0300-\u036f\u0591-\u05bd\u05bf-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\ufe00-\ufe0f]")
_LETTERS = str.maketrans({"ł": "l", "ø": "o", "đ": "d", "\u0131": "i", "æ": "ae", "œ": "oe"})


def _ranges(category: str) -> str:
    """Return the characters whose Unicode category begins with `category`, for a class of a regular expression."""
    codes = [code for code in range(0x300, 0x1F000) if unicodedata.category(chr(code)).startswith(category)]
    parts, begin = [], codes[0]
    for code, following in zip(codes, [*codes[1:], sys.maxunicode + 2], strict=True):
        if following != code + 1:
            parts.append(f"{chr(begin)}-{chr(code)}")
            begin = following
    return "".join(parts)


# Scripts that are written without spaces: Thai to Khmer, Han, kana, Yi and others; Hangul, whose words take endings.
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0edf\u0f00-\u0fbc\u1000-\u109f\u1100-\u11ff\u1780-\u17d3\u17dc\u17dd\u1950-\u19df\u1a20-\u1aad"
    "\u1b00-\u1b4b\u3005-\u3007\u3021-\u3029\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua48c\ua980-\ua9c0\ua9e0-\ua9fe\uaa00-\uaa4d\uaa60-\uaadd\uac00-\ud7a3\uf900-\ufaff"
    "\U00020000-\U000323af"
)
_FLAG = "[\U0001f1e6-\U0001f1ff]{2}"
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001faff]"
)
_MODIFIED = f"{_PICTURE}[\U0001f3fb-\U0001f3ff]?[\U000e0020-\U000e007f]*"
_EMOJI = f"{_FLAG}|{_MODIFIED}(?:\u200d{_MODIFIED})*"
_NO_PICTURES = {chr(code) for code in [*range(0x1F1E6, 0x1F200), *range(0x1F3FB, 0x1F400)]}  # flags, skin tones


@cache
def _piece() -> re.Pattern[str]:
    """Return what matches a word, a run of a script without spaces, or an emoji; made at first use: it takes 60 ms."""
    word = rf"[\w{_ranges('M')}]"
    return re.compile(
        rf"(?P<unspaced>[{_UNSPACED}]+)|(?P<emoji>{_EMOJI})"
        rf"|(?P<word>(?:(?![{_UNSPACED}]){word})+(?:['\u2019\u02bc-](?:(?![{_UNSPACED}]){word})+)*)"
    )


_ASCII_WORD = re.compile(r"\w+(?:['-]\w+)*", re.ASCII)
_PART = re.compile(_PICTURE)
_JOINT = re.compile("['\u2019\u02bc_-]+")


@dataclass(frozen=True)
class Term:
    """A part of a query: its text, and the prefixes of tokens that match it.

    `ways` are alternatives: a task matches when it has all prefixes of one of them. The most selective alternative is
    the first. `spaced`: the term begins at the beginning of a word.
    """

    text: str
    ways: tuple[tuple[str, ...], ...]
    spaced: bool


def fold(text: str) -> str:
    """Return the folded form of a text, in which texts are compared."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKD", text.casefold()).casefold().translate(_LETTERS)
    return unicodedata.normalize("NFC", _IGNORED.sub("", folded))


def tokens_of(text: str) -> list[str]:
    """Return the distinct tokens of a title, at most MAX_TOKENS."""
    return _once(_tokens(fold(text)), MAX_TOKENS)


def description_tokens_of(text: str | None) -> list[str]:
    """Return the distinct tokens of a description, at most MAX_DESCRIPTION_TOKENS."""
    return _once(_tokens(fold(text)), MAX_DESCRIPTION_TOKENS) if text else []


def terms_of(query: str, limit: int) -> list[Term]:
    """Return the parts of a query, at most `limit`."""
    found = {match.group(): _term(match) for match in _piece().finditer(fold(query))}
    return [term for term in found.values() if term][:limit]


def _once(tokens: Iterator[str], limit: int) -> list[str]:
    found: dict[str, None] = {}
    for token in tokens:
        found[token[:_MAX_WORD_CHARACTERS]] = None
        if len(found) == limit:
            break
    return list(found)


def _tokens(text: str) -> Iterator[str]:
    if text.isascii():  # it has words only, which `_piece` finds in ten times the time
        for word in _ASCII_WORD.findall(text):
            yield from (word,) if word.isalnum() else _words(word)
        return
    for match in _piece().finditer(text):
        yield from _words(match.group()) if match.lastgroup == "word" else _unspaced(match)


def _words(word: str) -> Iterator[str]:
    """Yield the parts of a word and, when there are several, their join: `e-mail` gives e, mail, email."""
    parts = [part for part in _JOINT.split(word) if part]
    yield from parts
    if len(parts) > 1:
        yield "".join(parts)


def _unspaced(match: re.Match[str]) -> Iterator[str]:
    text = match.group()
    if match.lastgroup == "unspaced":
        yield from (text[start : start + 2] for start in range(len(text)))  # and the last character alone
    elif match.lastgroup == "emoji":
        yield text
        yield from (part for part in _PART.findall(text) if part not in _NO_PICTURES and part != text)


def _term(match: re.Match[str]) -> Term | None:
    text = match.group()
    if match.lastgroup == "emoji":
        return Term(text, ((text[:_MAX_WORD_CHARACTERS],),), spaced=False)
    if match.lastgroup == "unspaced":
        pairs = [text[start : start + 2] for start in range(max(1, len(text) - 1))]
        return Term(text, (tuple(pairs),), spaced=False)
    parts = tuple(part[:_MAX_WORD_CHARACTERS] for part in _JOINT.split(text) if part)
    joined = "".join(parts)[:_MAX_WORD_CHARACTERS]
    ways = ((joined,),) if len(parts) == 1 else ((joined,), parts)
    return Term(text, ways, spaced=True) if parts else None
