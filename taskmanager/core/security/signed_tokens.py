"""Signed tokens: opaque tokens that only this service can make, such as API tokens, links in mails, share links.

A token contains the ids of the rows it stands for, a nonce, and an HMAC-SHA256 over both. So a forged token is refused
without a query. Whether an authentic one is still valid is stored in its row, which has at most a hash of the token. A
token whose nonce is stored can be made again, for a mail that is sent later.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from typing import NamedTuple

from bson import ObjectId

from taskmanager.core.configuration import settings

_NONCE_BYTES = 16
_CODE_BYTES = 32
_FORM = re.compile(r"[A-Za-z0-9_-]{64,400}")


class SignedIds(NamedTuple):
    """The content of a token: its ids, and its nonce."""

    ids: tuple[ObjectId, ...]
    nonce: bytes


def make_nonce() -> bytes:
    """Return 16 random bytes that make a token unique."""
    return secrets.token_bytes(_NONCE_BYTES)


def sign(prefix: str, *ids: ObjectId, nonce: bytes) -> str:
    """Return the token with this prefix, such as `tm_`, for these ids; the same nonce gives the same token."""
    head = b"".join(item.binary for item in ids) + nonce
    return prefix + base64.urlsafe_b64encode(head + _code(prefix, head)).rstrip(b"=").decode()


def verify(prefix: str, token: str) -> SignedIds | None:
    """Return the content of a token with this prefix; None when this service did not sign it."""
    body = token.removeprefix(prefix)
    if body == token or not _FORM.fullmatch(body):
        return None
    try:
        raw = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except binascii.Error:
        return None
    head, code = raw[:-_CODE_BYTES], raw[-_CODE_BYTES:]
    names = head[:-_NONCE_BYTES]
    canonical = base64.urlsafe_b64encode(raw).rstrip(b"=").decode() == body  # each token has one spelling
    if len(names) % 12 or not canonical or not hmac.compare_digest(code, _code(prefix, head)):
        return None
    return SignedIds(tuple(ObjectId(names[at : at + 12]) for at in range(0, len(names), 12)), head[-_NONCE_BYTES:])


def fingerprint(token: str) -> str:
    """Return the hash by which the database stores a token that is shown once: SHA-256 in hexadecimal."""
    return hashlib.sha256(token.encode()).hexdigest()


def _code(prefix: str, head: bytes) -> bytes:
    return hmac.digest(settings.current().secret(), b"sealed:" + prefix.encode() + head, "sha256")
