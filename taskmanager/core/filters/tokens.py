"""The tokenizer of filters. Columns count from 1."""

import re
from dataclasses import dataclass

MAX_CHARACTERS = 1024
KEYWORDS = frozenset({"and", "or", "not", "in", "is", "null"})
_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<string>"(?:[^"\\\x00-\x1f]|\\["\\])*")
      | (?P<operator>!=|>=|<=|[=<>~])
      | (?P<mark>[()\[\],])
      | (?P<word>[^\s()\[\],"=!<>~\x00-\x1f]+)""",
    re.VERBOSE,
)
_BARE = re.compile(r"""[^\s()\[\],"=!<>~\x00-\x1f]+""")
_ESCAPED = re.compile(r"\\(.)")


class FilterError(ValueError):
    """The filter cannot be parsed or resolved. The message names the column; `code` is a stable identifier."""

    def __init__(self, column: int, problem: str, code: str = "filter.invalid") -> None:
        self.column, self.code = column, code
        super().__init__(f"Column {column}: {problem}")


@dataclass(frozen=True)
class FilterToken:
    """A token of a filter. `kind` is string, operator, mark, word, keyword or end."""

    kind: str
    text: str
    column: int
    end: int = 0  # the column after its last character


def tokens(text: str) -> list[FilterToken]:
    """Return the tokens of a filter, the last of which marks its end. Raises FilterError."""
    if len(text) > MAX_CHARACTERS:
        raise FilterError(MAX_CHARACTERS + 1, f"a filter has at most {MAX_CHARACTERS:,} characters.")
    found, position = [], 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            problem = "this string does not end." if text[position] == '"' else "this character cannot stand here."
            raise FilterError(position + 1, problem)
        if match.lastgroup != "space":
            found.append(_token(str(match.lastgroup), match.group(), position + 1))
        position = match.end()
    return [*found, FilterToken("end", "", len(text) + 1)]


def written(text: str) -> str:
    """Return a value as it is written in a filter: in quotes where they are needed."""
    if _BARE.fullmatch(text) and text.lower() not in KEYWORDS:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _token(kind: str, text: str, column: int) -> FilterToken:
    end = column + len(text)
    if kind == "string":
        return FilterToken(kind, _ESCAPED.sub(r"\1", text[1:-1]), column, end)
    if kind == "word" and text.lower() in KEYWORDS:
        return FilterToken("keyword", text.lower(), column, end)
    return FilterToken(kind, text, column, end)
