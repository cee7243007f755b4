"""Encryption at rest, with keys made of the service's secret: one for each purpose."""

import base64
from functools import cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from taskmanager.core.configuration import settings


def cipher(purpose: str) -> Fernet:
    """Return what encrypts and decrypts secrets of one purpose, such as `second factor`."""
    return _made(purpose, settings.current().secret())


@cache
def _made(purpose: str, secret: bytes) -> Fernet:
    derived = HKDF(SHA256(), 32, salt=None, info=f"taskmanager {purpose}".encode()).derive(secret)
    return Fernet(base64.urlsafe_b64encode(derived))
