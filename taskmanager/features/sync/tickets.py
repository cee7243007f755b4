"""Tickets: they open one stream, for an EventSource, which cannot send an Authorization header.

A ticket stands for the credential that asked for it, for TICKET_SECONDS and one use. It is stored in the cache store,
by its hash: when the store loses it, the client asks for another.
"""

import secrets
from typing import Any

import orjson
from bson import ObjectId

from taskmanager.core.errors import Unavailable
from taskmanager.core.security.signed_tokens import fingerprint
from taskmanager.core.servers.stores import RedisError, cache_store
from taskmanager.web.authentication.credentials import Credential, CredentialClaim

TICKET_SECONDS = 30


def issue(claim: CredentialClaim) -> str:
    """Return a new ticket for this credential. Raises Unavailable while the cache store is away."""
    ticket, known = secrets.token_urlsafe(32), claim.credential
    content = {"share_token": claim.share_token}
    if known:
        content |= {"user_id": str(known.user_id), "id": str(known.id), "token_hash": known.token_hash}
    try:
        cache_store().set(_key(ticket), orjson.dumps(content), ex=TICKET_SECONDS)
    except RedisError:
        raise _unavailable() from None
    return ticket


def redeem(ticket: str) -> CredentialClaim:
    """Return what a ticket stands for, once; a refused claim for an unknown one. Raises Unavailable."""
    try:
        found: Any = cache_store().getdel(_key(ticket))
    except RedisError:
        raise _unavailable() from None
    if not found:
        return CredentialClaim(refused=True)
    content = orjson.loads(found)
    if content["share_token"]:
        return CredentialClaim(share_token=content["share_token"])
    return CredentialClaim(Credential(ObjectId(content["user_id"]), ObjectId(content["id"]), content["token_hash"]))


def _key(ticket: str) -> str:
    return f"tm:ticket:{fingerprint(ticket)}"


def _unavailable() -> Unavailable:
    return Unavailable("Tickets cannot be issued at the moment.", code="stream.tickets_unavailable")
