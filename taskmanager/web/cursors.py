"""Cursors of lists: the key of the last row of a page, signed, and bound to the list, sort and filter that made it.

They have the form of itsdangerous' URLSafeSerializer, so that instances of two releases read each other's.
"""

import hmac
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson
from bson import ObjectId
from flask import request
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode
from itsdangerous.signer import SigningAlgorithm

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Malformed
from taskmanager.core.storage.orders import Key


def make_cursor(key: Key, bound: str = "") -> str:
    """Return a cursor for the rows after `key`."""
    return _signer(bound).sign(base64_encode(orjson.dumps([_pack(part) for part in key]))).decode()


def read_cursor(cursor: str, bound: str = "") -> Key:
    """Return the key in a cursor. Raises Malformed when it was made for another list, sort or filter."""
    try:
        payload = _signer(bound).unsign(cursor)
        # the release before this one compressed long ones, as URLSafeSerializer of itsdangerous does
        packed = zlib.decompress(base64_decode(payload[1:])) if payload[:1] == b"." else base64_decode(payload)
        return [_unpack(part) for part in orjson.loads(packed)]
    except (BadData, zlib.error, UnicodeError, ValueError):
        raise Malformed("The cursor does not belong to this list, sort and filter.", code="cursor.invalid") from None


def _signer(bound: str) -> Signer:
    """Return the signer of cursors for this path and the parameters that decide which rows the list has."""
    binding = sorted((name, value) for name, value in request.args.items() if name not in _UNBOUND)
    return _signer_of(settings.current().secret(), repr((request.path, binding, bound)))


@lru_cache(maxsize=500)
def _signer_of(secret: bytes, salt: str) -> Signer:
    return Signer(secret, salt=salt.encode(), algorithm=HMAC)


class OneCallHmac(SigningAlgorithm):
    """The signature of itsdangerous, HMAC-SHA1, by one call of OpenSSL."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha1")


HMAC = OneCallHmac()

_UNBOUND = {"cursor", "limit", "fields", "expand", "with_total"}
_PACKED: dict[type, tuple[str, Callable[[Any], Any]]] = {
    ObjectId: ("o", str),
    datetime: ("d", lambda moment: moment.replace(tzinfo=UTC).isoformat()),  # rows of pages have none
}
_UNPACKED: dict[str, Callable[[str], Any]] = {"o": ObjectId, "d": datetime.fromisoformat}


def _pack(value: Any) -> Any:
    tag, function = _PACKED.get(type(value), ("", None))
    return [tag, function(value)] if function else value


def _unpack(value: Any) -> Any:
    return _UNPACKED[value[0]](value[1]) if isinstance(value, list) else value
