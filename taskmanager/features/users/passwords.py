"""Password hashes: bcrypt over SHA-256.

bcrypt reads 72 bytes and bcrypt 5 refuses more, so what it hashes is the base64 of the password's SHA-256
(44 bytes, no NUL): every character of a long password counts.
"""

import base64
import hashlib
from functools import cache

import bcrypt

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Invalid
from taskmanager.core.storage.unit_of_work import outside
from taskmanager.core.text import compatible

MIN_CHARACTERS, MAX_CHARACTERS = 8, 128  # characters
UNUSABLE = "none"  # stored in place of a hash by accounts without a login by password


def make_hash(password: str) -> str:
    """Return a hash with the cost of the settings. It takes a while on purpose: never inside a transaction.

    It is of the password's compatible form (NFKC; NIST SP 800-63B, 5.1.1.2), so that every keyboard types the same.
    """
    digest, cost = _digest(compatible(password)), settings.current().bcrypt_cost
    return outside(("hash", digest, cost), lambda: bcrypt.hashpw(digest, bcrypt.gensalt(cost)).decode())


def matches(password: str, password_hash: str | None) -> bool:
    """Return whether the password fits; without a hash (no such account) as much time is spent and the answer is no.

    One whose Unicode form was not composed is tried as it was typed, too: older hashes were made of that.
    """
    real = password_hash if password_hash and usable(password_hash) else None
    digests = [_digest(form) for form in dict.fromkeys((compatible(password), password))]
    known = (real or _dummy(settings.current().bcrypt_cost)).encode()
    fits = outside(("fits", *digests, known), lambda: [bcrypt.checkpw(digest, known) for digest in digests])
    return any(fits) and real is not None


def _digest(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())


def _dummy(cost: int) -> str:
    """Return the form of a hash that no password has; checking it takes the time of a real one."""
    return f"$2b${cost:02d}${'.' * 53}"


def needs_rehash(password_hash: str) -> bool:
    """Return whether the hash was made with another cost than that of the settings."""
    return int(password_hash.split("$")[2]) != settings.current().bcrypt_cost


def check(password: str, *, location: str, email: str) -> None:
    """Raise Invalid (`password.too_common`) for a password that others try first.

    No rules of composition: length is what helps, and a list of what is common (NIST SP 800-63B, 5.1.1.2).
    """
    word = compatible(password).lower()
    if word in _common() or word in (email, email.split("@")[0]):
        message = "This password is among those that are tried first: choose another."
        raise Invalid(location, message, code="password.too_common")


@cache
def _common() -> frozenset[str]:
    """Return passwords that many people have, from the list that zxcvbn ships."""
    from zxcvbn.frequency_lists import FREQUENCY_LISTS  # half a megabyte: only where passwords are set

    return frozenset(word for word in FREQUENCY_LISTS["passwords"] if len(word) >= MIN_CHARACTERS)


def usable(password_hash: str) -> bool:
    """Return whether the account has a password at all; service accounts and those of a login provider have none."""
    return password_hash.startswith("$2")
