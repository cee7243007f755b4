"""The order of texts: texts that people write by the root collation of CLDR, keys by the numbers in them."""

import re

# `en` tailors nothing. Tertiary strength, the default, compares letters, then accents, then case: two texts that look
# different are never equal, and keys and ids are equal exactly when they are equal without a collation.
COLLATION = {"locale": "en", "strength": 3}
# Stored fields with texts that people write. Custom fields (`custom_fields.…`) are ordered in the same way.
TEXT_FIELDS = frozenset({"name", "title"})

_NUMBER = re.compile("[0-9]+")
_DIGITS = 10


def natural_key(key: str) -> str:
    """Return a key whose order by code point is the order of its numbers: `APP-2` before `APP-10`."""
    return _NUMBER.sub(lambda found: found.group().zfill(_DIGITS), key)
