"""Tokens of sync: how far a client has read, signed and bound to its account.

A token contains a position of the event log, the types that the client follows and, while content is being filled in,
how far that has come. It gives no rights: what the caller may see is decided anew by each request.
"""

import base64
import binascii
import hmac
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import bson
from bson.errors import BSONError

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Malformed
from taskmanager.core.security.access import Actor

_VERSION = 1
_CODE_BYTES = 16


@dataclass(frozen=True)
class SyncState:
    """How far a client has read.

    `targets` are what is to be filled in before the changes behind `position` are read: `account`, `project:<id>` or
    `task:<id>`; the first one is filled up to the row `key` of the type `step`. During a full sync `filled` is the id
    of the last project that is complete, and empty before the first.
    `skip` is the number of objects of the event behind `position` that were sent, when it names more than a page has.
    """

    position: int
    types: list[str]
    targets: list[str] = field(default_factory=list)
    step: str = ""
    key: list[Any] | None = None
    filled: str | None = None
    skip: int = 0

    @property
    def is_filling(self) -> bool:
        """Return whether content has to be filled in before changes are read."""
        return bool(self.targets) or self.filled is not None


def sign(state: SyncState, actor: Actor) -> str:
    """Return the token of a state, for this actor alone."""
    content = {"v": _VERSION, **asdict(state)}
    if not state.skip:  # which the releases before do not know
        del content["skip"]
    payload = bson.encode(content)
    return base64.urlsafe_b64encode(payload + _code(payload, actor)).rstrip(b"=").decode()


def verify(token: str, actor: Actor) -> SyncState:
    """Return the state in a token. Raises Malformed (`sync.token_invalid`) for one that was not made for this actor."""
    try:
        raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
        payload, code = raw[:-_CODE_BYTES], raw[-_CODE_BYTES:]
        if hmac.compare_digest(code, _code(payload, actor)):
            content = bson.decode(payload)
            content.pop("only", None)  # of the releases before
            if content.pop("v") == _VERSION:
                return SyncState(**content)
    except (binascii.Error, BSONError, ValueError, TypeError, KeyError):
        pass
    raise Malformed("This sync token was not made for this account, token and service.", code="sync.token_invalid")


def verified(token: str, actor: Actor, types: Iterable[str] | None) -> SyncState:
    """Return the state in a token, whose types must be `types` if given. Raises Malformed (`sync.token_invalid`)."""
    state = verify(token, actor)
    if types is not None and set(types) != set(state.types):
        raise Malformed("This sync token was made for other types.", code="sync.token_invalid")
    return state


def _code(payload: bytes, actor: Actor) -> bytes:
    """Return the code of a payload. A token for one project sees less than its account, so it has tokens of its own."""
    bound = f"sync:{actor.identity}:{actor.token_id if actor.one_project else ''}:".encode()
    return hmac.digest(settings.current().secret(), bound + payload, "sha256")[:_CODE_BYTES]
