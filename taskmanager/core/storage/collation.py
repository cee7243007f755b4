"""How texts are ordered: those by people by the root collation of CLDR, keys by the numbers in them."""

import re

# `en` tailors nothing. Of tertiary strength, the default: letters first, then accents, then case, so that no two texts
# that look different are the same, and equality of keys and ids is what it is without a collation.
COLLATION = {"locale": "en", "strength": 3}
# Stored fields that hold texts by people. Custom fields (`custom_fields.…`) are ordered so, too.
TEXT_FIELDS = frozenset({"name", "title"})

_NUMBER = re.compile("[0-9]+")
_DIGITS = 10


def natural_key(key: str) -> str:
    """Return what orders a key by code point as its numbers are: `APP-2` before `APP-10`."""
    return _NUMBER.sub(lambda found: found.group().zfill(_DIGITS), key)
