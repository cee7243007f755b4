"""Lists of mail domains in settings."""

import re
from functools import lru_cache

import idna

_DOMAIN = re.compile(r"(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_SENTENCE = "must be mail domains such as example.org, separated by commas, without @ and *"


@lru_cache(maxsize=16)
def parse(text: str) -> frozenset[str]:
    """Return the domains of a list in lower case, international ones in their ASCII form (`xn--…`, RFC 5891).

    Raises ValueError with a sentence.
    """
    return frozenset(_ascii(word.strip().lower()) for word in text.split(",")) if text.strip() else frozenset()


def _ascii(domain: str) -> str:
    try:
        known = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise ValueError(_SENTENCE) from None
    if not _DOMAIN.fullmatch(known):
        raise ValueError(_SENTENCE)
    return known
