"""Quote text that users wrote in messages of the service, so that it makes no link, header or paragraph of its own.

Mail and messaging programs turn everything that looks like an address into a link, also in plain text. An invisible
zero-width space inside of it prevents that.
"""

import re

_BREAK = "\u200b"
# Zero-width and direction characters, which hide or reorder text; the joiners of emoji and scripts stay.
_INVISIBLE = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DOT = re.compile(r"(?<=\S)([.\u3002\uff0e\uff61])(?=[^\W\d_])")  # of a host: the last label of each is made of letters
_SCHEME = re.compile(r"(?<=[^\W\d_]):(?=\S)")  # of an address such as mailto:x; those with // are broken there, too
_SLASHES = re.compile(r"/(?=/)")
_AT = re.compile(r"(?<=\S)@(?=\S)")


def one_line(text: str) -> str:
    """Return `text` without line breaks, control and direction characters, so that it cannot become a header.

    Encoded words (RFC 2047) are broken, too: Python's `email` would decode them with their line breaks (CVE-2024-6923).
    """
    return _BREAKS.sub(" ", _INVISIBLE.sub("", text)).replace("=?", "= ?").strip()


def inline(text: str) -> str:
    """Return text of a user for a line of our own: on one line, and without links."""
    return _unlinked(one_line(text))


def quoted(text: str) -> str:
    """Return text of a user with `> ` before each line, and without links."""
    lines = _CONTROLS.sub("", _INVISIBLE.sub("", text)).splitlines() or [""]
    return "\n".join(f"> {_unlinked(line)}".rstrip() for line in lines)


def as_written(text: str) -> str:
    """Return the text of a notice without zero-width spaces, for clients that make no links of text."""
    return text.replace(_BREAK, "")


def _unlinked(text: str) -> str:
    for pattern, replacement in (
        (_DOT, rf"{_BREAK}\1"),
        (_SCHEME, f"{_BREAK}:"),
        (_SLASHES, f"/{_BREAK}"),
        (_AT, f"{_BREAK}@"),
    ):
        text = pattern.sub(replacement, text)
    return text
