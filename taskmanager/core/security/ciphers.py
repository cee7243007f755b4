"""Encryption at rest, with keys that are derived from the service's secret (HKDF, RFC 5869): one for each purpose."""

import base64
from functools import cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from taskmanager.core.configuration import settings


def cipher(purpose: str) -> Fernet:
    """Return the cipher for secrets of one purpose, such as `second factor`."""
    return _made(purpose, settings.current().secret())


@cache
def _made(purpose: str, secret: bytes) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=f"taskmanager {purpose}".encode()).derive(secret)
    return Fernet(base64.urlsafe_b64encode(derived))
