"""Password hashes: bcrypt over SHA-256.

bcrypt reads 72 bytes and bcrypt 5 refuses more, so what it hashes is the base64 of the password's SHA-256
(44 bytes, no NUL). So every character of a long password counts.
"""

import base64
import hashlib
from functools import cache

import bcrypt

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Invalid
from taskmanager.core.storage.unit_of_work import outside
from taskmanager.core.text import compatible

MIN_CHARACTERS, MAX_CHARACTERS = 8, 128
UNUSABLE = "none"  # stored instead of a hash for accounts that have no password


def make_hash(password: str) -> str:
    """Return a hash with the cost of the settings. Hashing is slow on purpose: never call this inside a transaction.

    The hash is made of the password's compatible form (NFKC; NIST SP 800-63B, 5.1.1.2), so that the same password
    from any keyboard has the same hash.
    """
    digest, cost = _digest(compatible(password)), settings.current().bcrypt_cost
    return outside(("hash", digest, cost), lambda: bcrypt.hashpw(digest, bcrypt.gensalt(cost)).decode())


def matches(password: str, password_hash: str | None) -> bool:
    """Return whether the password matches. Without a hash (no such account) return False after the same time.

    A password that is not in compatible form is also compared as it was typed: older hashes were made of that form.
    """
    real = password_hash if password_hash and usable(password_hash) else None
    digests = [_digest(form) for form in dict.fromkeys((compatible(password), password))]
    known = (real or _dummy(settings.current().bcrypt_cost)).encode()
    fits = outside(("fits", *digests, known), lambda: [bcrypt.checkpw(digest, known) for digest in digests])
    return any(fits) and real is not None


def _digest(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())


def _dummy(cost: int) -> str:
    """Return a hash that no password matches; checking it takes as long as checking a real one."""
    return f"$2b${cost:02d}${'.' * 53}"


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with a cost other than that of the settings."""
    return int(password_hash.split("$")[2]) != settings.current().bcrypt_cost


def check(password: str, *, location: str, email: str) -> None:
    """Raise Invalid (`password.too_common`) for a common password, the address, or its part before the @.

    There are no composition rules: only length and a list of common passwords help (NIST SP 800-63B, 5.1.1.2).
    """
    word = compatible(password).lower()
    if word in _common() or word in (email, email.split("@")[0]):
        message = "This password is among those that attackers try first: choose another."
        raise Invalid(location, message, code="password.too_common")


@cache
def _common() -> frozenset[str]:
    """Return the common passwords, from the list that zxcvbn ships."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # half a megabyte: loaded only where passwords are set

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_CHARACTERS)


def usable(password_hash: str) -> bool:
    """Return whether the account has a password; service accounts and accounts of a login provider have none."""
    return password_hash.startswith("$2")
