"""The header `X-Causal-Token`: up to which write of the database its client has read or written, signed.

A response to a write has it, when secondaries may answer some reads; a client that sends the latest one reads its own
writes, from whichever member. It is no secret and belongs to no account; it is signed, because a read waits for the
time in it.
"""

import struct

from bson.timestamp import Timestamp
from flask import request
from itsdangerous import BadData, Signer
from itsdangerous.encoding import base64_decode, base64_encode

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Malformed
from taskmanager.web.cursors import HMAC

HEADER = "X-Causal-Token"
_MAX_CHARACTERS = 100
_FORM = struct.Struct(">II")  # seconds, and the number of the operation in that second


def make(moment: Timestamp) -> str:
    """Return the token of a time."""
    return _signer().sign(base64_encode(_FORM.pack(moment.time, moment.inc))).decode()


def given() -> Timestamp | None:
    """Return the time in the token of this request; None without one. Raises Malformed (`header.causal_token`)."""
    text = request.headers.get(HEADER)
    if text is None:
        return None
    try:
        if len(text) > _MAX_CHARACTERS:
            raise ValueError
        return Timestamp(*_FORM.unpack(base64_decode(_signer().unsign(text))))
    except (BadData, UnicodeError, ValueError, struct.error):
        detail = f"{HEADER} is not a token of this service: send the latest that it returned, or none."
        raise Malformed(detail, code="header.causal_token") from None


def _signer() -> Signer:
    return Signer(settings.current().secret(), salt=b"causal token", algorithm=HMAC)
