"""Unicode forms: what looks the same to people is stored the same (Unicode Standard Annex #15)."""

import re
import unicodedata

import idna

# Characters without a shape of their own at the ends of what is pasted: zero-width spaces and joiners, byte order
# marks, marks and embeddings of direction, fillers of Hangul and Braille.
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0"
)
SPACES = r"\u0009\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_MARKS = "\u061c\u200e\u200f"  # of direction: at the end they place the punctuation before them
_MAX_ADDRESS_CHARACTERS = 320  # characters: a domain may be longer in its ASCII form than in its own script


def _characters(ranges: str) -> str:
    """Return the characters of ranges such as `\\u200b-\\u200f`."""
    found = re.findall(r"\\u([0-9a-f]{4})(?:-\\u([0-9a-f]{4}))?", ranges)
    return "".join(chr(code) for first, last in found for code in range(int(first, 16), int(last or first, 16) + 1))


_BEFORE = _characters(SPACES + INVISIBLE)
_AFTER = "".join(character for character in _BEFORE if character not in _MARKS)


def one_form(text: str) -> str:
    """Return the composed form (NFC), which Linux, Windows and browsers write; macOS decomposes file names."""
    return unicodedata.normalize("NFC", text)


def trimmed(text: str) -> str:
    """Return the composed form without spaces and invisible characters around it."""
    return one_form(text).lstrip(_BEFORE).rstrip(_AFTER)


def compatible(text: str) -> str:
    """Return the form in which full-width letters and digits are the plain ones (NFKC)."""
    return unicodedata.normalize("NFKC", text)


def plain_address(typed: str) -> str:
    """Return a mail address as accounts keep it; what is none comes back in small letters, for the reader to refuse.

    What comes with pasting is taken off, and an international domain gets its ASCII form (`xn--…`, RFC 5891).
    """
    if len(typed) > _MAX_ADDRESS_CHARACTERS:
        return typed
    local, at, domain = trimmed(compatible(typed)).lower().rpartition("@")
    try:
        return local + at + (domain if domain.isascii() else idna.encode(domain, uts46=True).decode())
    except (idna.IDNAError, UnicodeError):
        return typed.lower()
