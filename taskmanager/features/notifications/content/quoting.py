"""Text that people wrote, as text in what the service sends: it makes no link, no header and no paragraph of ours.

Mail and messaging programs turn whatever looks like an address into a link, also in plain text. A zero-width space
inside such a thing keeps that from happening and shows as nothing.
"""

import re

_BREAK = "\u200b"
# Zero-width and direction characters, which hide or reorder what is read; the joiners of emoji and scripts stay.
_INVISIBLE = re.compile(
    r"[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)
_BREAKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DOT = re.compile(r"(?<=\S)([.\u3002\uff0e\uff61])(?=[^\W\d_])")  # of a host: every one has a last part of letters
_SCHEME = re.compile(r"(?<=[^\W\d_]):(?=\S)")  # of an address such as mailto:x; what has // is broken there too
_SLASHES = re.compile(r"/(?=/)")
_AT = re.compile(r"(?<=\S)@(?=\S)")


def one_line(text: str) -> str:
    """Return `text` without line breaks, control and direction characters: people's words become no header.

    Nor an encoded word (RFC 2047), which Python's `email` would decode, line breaks and all (CVE-2024-6923).
    """
    return _BREAKS.sub(" ", _INVISIBLE.sub("", text)).replace("=?", "= ?").strip()


def words(text: str) -> str:
    """Return people's words for a line of our own text: on one line, and nothing in it is a link."""
    return _unlinked(one_line(text))


def quoted(text: str) -> str:
    """Return what people wrote with `> ` before each of its lines, and nothing in it is a link."""
    lines = _CONTROLS.sub("", _INVISIBLE.sub("", text)).splitlines() or [""]
    return "\n".join(f"> {_unlinked(line)}".rstrip() for line in lines)


def as_written(text: str) -> str:
    """Return a notice without the zero-width spaces: for programs that show text as it is, such as our own clients."""
    return text.replace(_BREAK, "")


def _unlinked(text: str) -> str:
    for pattern, put in (
        (_DOT, rf"{_BREAK}\1"),
        (_SCHEME, f"{_BREAK}:"),
        (_SLASHES, f"/{_BREAK}"),
        (_AT, f"{_BREAK}@"),
    ):
        text = pattern.sub(put, text)
    return text
