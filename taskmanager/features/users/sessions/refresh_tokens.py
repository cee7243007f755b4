"""Refresh tokens: session id, generation and a code that only this service can make.

The code of a generation is HMAC-SHA256 over the session's random seed. So a client that lost a response can get the
same token again, while the database stores only its hash.
"""

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple

from bson import ObjectId

from taskmanager.core.configuration import settings

_CODE_BYTES = 32


class RefreshClaim(NamedTuple):
    """The content of a refresh token, not verified yet."""

    session_id: ObjectId
    generation: int


def make(session_id: ObjectId, generation: int, seed: str) -> str:
    """Return the token of one generation of a session."""
    head = session_id.binary + generation.to_bytes(4, "big")
    code = hmac.digest(settings.current().secret(), head + seed.encode(), "sha256")
    return base64.urlsafe_b64encode(head + code).decode()


def read(token: str) -> RefreshClaim | None:
    """Return the claim in a token; None when it does not have the form of a refresh token."""
    try:
        raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError):
        return None
    if len(raw) != 12 + 4 + _CODE_BYTES:
        return None
    return RefreshClaim(ObjectId(raw[:12]), int.from_bytes(raw[12:16], "big"))


def same(one: str, other: str) -> bool:
    """Return whether two tokens are equal, by a comparison in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


def fingerprint(token: str) -> str:
    """Return the hash of a token, which the database stores."""
    return hashlib.sha256(token.encode()).hexdigest()
