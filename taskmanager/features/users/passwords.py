"""Password hashes: bcrypt over SHA-256.

bcrypt reads 72 bytes and bcrypt 5 refuses more, so what it hashes is the base64 of the password's SHA-256
(44 bytes, no NUL): every character of a long password counts.
"""

import base64
import hashlib

import bcrypt

from taskmanager.core import settings


def make_hash(password: str) -> str:
    """A hash with the cost of the settings."""
    return bcrypt.hashpw(_digest(password), bcrypt.gensalt(settings.current().bcrypt_cost)).decode()


def matches(password: str, password_hash: str | None) -> bool:
    """Whether the password fits; without a hash (no such account) as much time is spent and the answer is no."""
    fits = bcrypt.checkpw(_digest(password), (password_hash or _dummy(settings.current().bcrypt_cost)).encode())
    return fits and password_hash is not None


def _digest(password: str) -> bytes:
    return base64.b64encode(hashlib.sha256(password.encode()).digest())


def _dummy(cost: int) -> str:
    """The form of a hash that no password has; checking it takes the time of a real one."""
    return f"$2b${cost:02d}${'.' * 53}"
