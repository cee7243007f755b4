"""Unicode normalization: texts that look the same are stored the same (Unicode Standard Annex #15)."""

import re
import unicodedata

import idna

# Invisible characters at the ends of pasted text: zero-width spaces and joiners, byte order marks, marks and
# embeddings of direction, fillers of Hangul and Braille.
INVISIBLE = (
    r"\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e"
    r"\u2060-\u206f\u2800\u3164\ufeff\uffa0"
)
SPACES = r"\u0009\u0020\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
_MARKS = "\u061c\u200e\u200f"  # of direction: at the end of a text they position the punctuation before them
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
    """Return the composed form (NFC) without spaces and invisible characters at both ends."""
    return one_form(text).lstrip(_BEFORE).rstrip(_AFTER)


def compatible(text: str) -> str:
    """Return the compatibility form (NFKC), in which full-width letters and digits become ASCII."""
    return unicodedata.normalize("NFKC", text)


def plain_address(typed: str) -> str:
    """Return a mail address in the form that accounts store.

    Removes spaces and invisible characters of pasting, and converts an international domain to ASCII (`xn--…`,
    RFC 5891). Returns what is not an address in lower case, for the caller to refuse.
    """
    if len(typed) > _MAX_ADDRESS_CHARACTERS:
        return typed
    local, at, domain = trimmed(compatible(typed)).lower().rpartition("@")
    try:
        return local + at + (domain if domain.isascii() else idna.encode(domain, uts46=True).decode())
    except (idna.IDNAError, UnicodeError):
        return typed.lower()
