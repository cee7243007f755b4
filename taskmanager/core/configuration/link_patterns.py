"""The patterns by which links lead to an operator's front end: a path or a URL with placeholders, such as `{id}`.

A pattern is checked at start, by the code that fills it in later.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlsplit

OWN_PAGE = "page"  # the pattern of a link that leads to the page of the service
_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")  # of a URL (RFC 3986, 2)


class Placeholders(NamedTuple):
    """The placeholders that a pattern may have, and of which it must have at least one."""

    known: frozenset[str]
    needed: frozenset[str]


_TOKEN = Placeholders(frozenset({"token"}), frozenset({"token"}))
PATTERNS: Mapping[str, Placeholders] = {
    "task": Placeholders(frozenset({"id", "key", "project_id"}), frozenset({"id", "key"})),
    "project": Placeholders(frozenset({"id"}), frozenset({"id"})),
    "confirm": _TOKEN,
    "address_change": _TOKEN,
    "reset": _TOKEN,
    "invitation": Placeholders(frozenset({"id", "token"}), frozenset({"token"})),
    "unsubscribe": _TOKEN,
}


def check(name: str, pattern: str) -> None:
    """Raise ValueError unless `pattern` is valid for the links of this name."""
    if pattern == OWN_PAGE:
        return
    known, needed = PATTERNS[name]
    names = frozenset(_PLACEHOLDER.findall(pattern))
    if unknown := names - known:
        raise ValueError(f"has the unknown placeholder {{{min(unknown)}}}; there are {_listed(known)}")
    if not names & needed:
        raise ValueError(f"needs the placeholder {' or '.join(f'{{{one}}}' for one in sorted(needed))}")
    rest = _PLACEHOLDER.sub("x", pattern)
    if not _CHARACTERS.fullmatch(rest):
        raise ValueError("must have only characters of URLs, and braces only around the name of a placeholder")
    if not (is_absolute(pattern) or (rest.startswith("/") and not rest.startswith("//"))):
        raise ValueError(f"must begin with / or https://, or be the word {OWN_PAGE}")
    if is_absolute(pattern) and not _has_fixed_host(pattern):
        raise ValueError("must have a host without placeholders, and no user")


def is_absolute(pattern: str) -> bool:
    """Return whether the pattern names its host."""
    return pattern.startswith(("https://", "http://"))


def names_in(pattern: str) -> set[str]:
    """Return the names of the placeholders of a pattern."""
    return set(_PLACEHOLDER.findall(pattern))


def fill(pattern: str, values: Mapping[str, object]) -> str:
    """Return the pattern with the percent-encoded values in the places of their names."""
    return _PLACEHOLDER.sub(lambda found: quote(str(values[found[1]]), safe=""), pattern)


def _has_fixed_host(pattern: str) -> bool:
    try:
        parts = urlsplit(pattern)
        return bool(parts.hostname) and "{" not in parts.netloc and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def _listed(names: frozenset[str]) -> str:
    return ", ".join(f"{{{name}}}" for name in sorted(names))
