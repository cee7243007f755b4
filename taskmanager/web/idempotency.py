"""Idempotency-Key (draft-ietf-httpapi-idempotency-key-header): a POST that is sent twice has its effect once.

The key is stored in the same transaction as the effect, so neither ever exists without the other. Only successful
requests are stored: a refused request changed nothing, and its repetition is processed again. Responses are stored
encrypted, because some contain a secret that is stored nowhere else.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from cryptography.fernet import InvalidToken
from flask import Response, request
from mongoengine import BinaryField, DateTimeField, DictField, Document, IntField, StringField
from pymongo.errors import DuplicateKeyError, OperationFailure

from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, Malformed
from taskmanager.core.security.access import Actor, Visitor
from taskmanager.core.security.ciphers import cipher
from taskmanager.core.security.networks import network_of
from taskmanager.core.storage.unit_of_work import long_unit_of_work, unit_of_work
from taskmanager.web.authentication.actors import known_actor
from taskmanager.web.authentication.context import given_header
from taskmanager.web.errors import KeyReused
from taskmanager.web.parser import read_body

_KEY = re.compile(r'"([\x20\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})')
MERGED, REPLAYED = "Merged", "Idempotency-Replayed"  # of a mutation, which was merged; of a stored response
_KEPT_HEADERS = ("Location", "ETag", "Cache-Control", "Content-Type", MERGED)
_KEPT_MEMBERS = ("id", "revision")  # of the response to a mutation
_PURPOSE = "idempotency"
MUTATION_DAYS = 30  # a device may be offline for that long after a response was lost
_WRITE_CONFLICT = 112


class IdempotencyKey(Document):
    """The first response to a key; the unique id is a digest of caller, path and key."""

    meta = {"collection": "idempotency_keys", "strict": False, "auto_create_index": False}

    id = StringField(primary_key=True)
    fingerprint = StringField(required=True)
    expires_at = DateTimeField(required=True)
    status = IntField()
    headers = DictField()
    body = BinaryField()  # encrypted


class InProgress(Conflict):
    """The first request with the key is still running."""

    code = "idempotency.in_progress"
    detail = "A request with this Idempotency-Key is running: try again shortly."
    retry_after = 1  # seconds


def once(
    view: Callable[[], Response], body: bytes | None = None, *, suffix: str = "", seconds: float | None = None
) -> Response:
    """Run `view`, or return the stored response of the request's key.

    `body` replaces the request's body when that was read as a stream. `suffix` names a part of the request whose effect
    and response are stored separately. Raises Malformed, KeyReused, InProgress (`idempotency.in_progress`).
    """
    header = given_header("HTTP_IDEMPOTENCY_KEY")
    if header is None:
        return view()
    found = _KEY.fullmatch(header.strip())
    if not found:
        raise Malformed("Idempotency-Key must be 1 to 255 printable ASCII characters.", code="idempotency.key_invalid")
    key_id = _digest(_caller(known_actor()), request.path, found[1] or found[2], suffix)
    hours = settings.current().idempotency_hours
    return _kept_or_first(_Key(key_id, _fingerprint(body), timedelta(hours=hours)), view, seconds)


def once_by(mutation_id: str, view: Callable[[], Response], content: Sequence[str | bytes]) -> Response:
    """Run `view`, or return what is stored of the response to the caller's mutation of this id, for MUTATION_DAYS.

    That is no more of its body than id and revision: a client may have many mutations, each of a large object.
    `content` is what the mutation does. Raises KeyReused for another content, InProgress.
    """
    key_id = _digest(_caller(known_actor()), "mutation", mutation_id)
    return _kept_or_first(_Key(key_id, _digest(*content), timedelta(days=MUTATION_DAYS), brief=True), view, None)


@dataclass(frozen=True)
class _Key:
    id: str
    fingerprint: str
    lifetime: timedelta
    brief: bool = False  # only _KEPT_MEMBERS of the body are kept


def _kept_or_first(key: _Key, view: Callable[[], Response], seconds: float | None) -> Response:
    kept = IdempotencyKey.objects(id=key.id, expires_at__gt=now()).first()
    return _replay(kept, key.fingerprint) if kept else _first(key, view, seconds)


def _first(key: _Key, view: Callable[[], Response], seconds: float | None) -> Response:
    within = long_unit_of_work(seconds) if seconds else unit_of_work
    try:
        return within(_run)(key, view)
    except _InUse:
        kept = IdempotencyKey.objects(id=key.id).first()
        if kept is None:
            raise InProgress from None
        return _replay(kept, key.fingerprint)


class _InUse(Exception):
    """Another request holds the key."""


def _run(key: _Key, view: Callable[[], Response]) -> Response:
    keys = IdempotencyKey._get_collection()
    try:
        keys.delete_one({"_id": key.id, "expires_at": {"$lte": now()}})
        keys.insert_one({"_id": key.id, "fingerprint": key.fingerprint, "expires_at": now() + key.lifetime})
    except DuplicateKeyError:
        raise _InUse from None
    except OperationFailure as error:
        if error.code == _WRITE_CONFLICT:  # the other request has not committed yet: do not wait for it
            raise _InUse from None
        raise
    response = view()
    keys.update_one({"_id": key.id}, {"$set": _kept(response, brief=key.brief)})
    return response


def _kept(response: Response, *, brief: bool) -> dict[str, Any]:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    body = response.get_data()
    kept = cipher(_PURPOSE).encrypt(_briefly(body) if brief and body else body)
    return {"status": response.status_code, "headers": headers, "body": kept}


def _briefly(body: bytes) -> bytes:
    found = orjson.loads(body)
    members = found if isinstance(found, dict) else {}
    return orjson.dumps({name: members[name] for name in _KEPT_MEMBERS if name in members})


def _replay(kept: IdempotencyKey, fingerprint: str) -> Response:
    if kept.fingerprint != fingerprint:
        raise KeyReused
    try:
        body = cipher(_PURPOSE).decrypt(bytes(kept.body))
    except InvalidToken:  # the secret of the service has changed
        detail = "This request was processed already, and its response cannot be repeated."
        raise Conflict(detail, code="idempotency.answer_lost") from None
    response = Response(body, kept.status, headers=dict(kept.headers))
    response.headers[REPLAYED] = "true"
    return response


def _caller(actor: Actor | None) -> str:
    """Return the identity that keys belong to; visitors of one share link are distinguished by their addresses."""
    address = f"address:{network_of(request.remote_addr)}"
    if actor is None:
        return address
    if isinstance(actor, Visitor):
        return f"{actor.identity}:{address}"
    # an API token does not get the response to another token or a session, because it may have fewer rights
    return f"{actor.identity}:{actor.token_id}" if actor.token_id else actor.identity


def _fingerprint(body: bytes | None) -> str:
    body = read_body(request) if body is None else body
    return _digest(request.method, request.full_path, request.mimetype, body)


def _digest(*parts: str | bytes) -> str:
    whole = hashlib.sha256()
    for part in parts:
        encoded = part.encode() if isinstance(part, str) else part
        whole.update(len(encoded).to_bytes(8, "big") + encoded)
    return whole.hexdigest()
