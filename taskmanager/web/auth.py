"""Who is asking: the access token of the request, checked by Flask-JWT-Extended with what it leaves open closed.

Two steps. `identify` runs before the rate limiter and touches nothing but the token, a JWT of a session or an
API token (`tm_…`), so that the limiter counts accounts and fetches the account's access version in its own
trip. `current_actor` then finds the account's rights (`core.access`) and refuses what has ended. The token of a
share link stands for no account: its bearer is counted by the address, and the link is read on every request.
"""

import re
from collections import OrderedDict
from datetime import timedelta
from typing import Any

import flask_jwt_extended as jwt_extended
import jwt
from bson import ObjectId
from bson.errors import InvalidId
from flask import Flask, current_app, g, request
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import InvalidTokenError, PyJWTError
from pymongo.errors import PyMongoError
from redis.exceptions import RedisError

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Unauthenticated, Unavailable
from taskmanager.core.security import access, signed_tokens as sealed
from taskmanager.core.security.access import Access, Actor
from taskmanager.core.security.dead_tokens import dead_tokens
from taskmanager.core.security.keyring import ALGORITHM, KeyRing, LiveRing
from taskmanager.core.servers.stores import cache_rest, cache_store
from taskmanager.core.storage.database import breaker, capacity
from taskmanager.extensions import limiter

API_TOKEN = "tm_"  # noqa: S105 begins every API token, so that scanners for leaked secrets find them
_SHARED = (access.SHARE_LINK, access.SHARE_VISIT)
_BEARER = re.compile(r"(?i:bearer) +(\S+)")  # the scheme is case-insensitive (RFC 9110, 11.1)
_TYPE = "at+jwt"  # RFC 9068: an access token cannot be mistaken for another kind
_ISSUER, _AUDIENCE = "taskmanager", "taskmanager-api"
_REQUIRED = {"exp", "iat", "nbf", "jti", "sub", "sid", "iss", "aud", "type"}
_KEPT_TOKENS = 10_000
_LONGEST_TOKEN = 4_096
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{86}", re.ASCII)  # PyJWT takes padding too: many spellings of one token
LEEWAY_SECONDS = 5
_TIMES = ("exp", "iat", "nbf")
# Whatever is wrong with a token is a 401 where one is needed, never another error.
_REFUSED = (
    JWTExtendedException,
    PyJWTError,
    InvalidId,
    ValueError,
    TypeError,
    LookupError,  # Flask-JWT-Extended meets an IndexError in the header " , "
    ArithmeticError,
    AttributeError,
    RecursionError,
)


class TokenManager(jwt_extended.JWTManager):
    """Keeps verified tokens, because a signature costs more than the rest of a read. Expiry is checked each time."""

    def __init__(self, app: Flask, ring: LiveRing) -> None:
        self._ring = ring
        self._verified: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        super().__init__(app, add_context_processor=False)

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> dict[str, Any]:
        kid, claims = self._verified.get(encoded_token, ("", {}))
        if kid in self._ring.keys:
            return _in_time(claims)
        if len(encoded_token) > _LONGEST_TOKEN or not _FORM.fullmatch(encoded_token):
            raise InvalidTokenError("not the form of our tokens")
        claims = _in_time(super()._decode_jwt_from_config(encoded_token, csrf_value, allow_expired=True))
        self._verified[encoded_token] = jwt.get_unverified_header(encoded_token)["kid"], claims
        if len(self._verified) > _KEPT_TOKENS:
            self._verified.popitem(last=False)
        return claims


def _in_time(claims: dict[str, Any]) -> dict[str, Any]:
    """The claims of a token that is good at present, by the database's clock: the library knows only its own.

    Some seconds of leeway (RFC 7519, 4.1.4 and 4.1.5), because clocks that agree do not agree exactly.
    Raises InvalidTokenError.
    """
    present = now().timestamp()
    begins = max(claims["iat"], claims["nbf"])
    if not begins - LEEWAY_SECONDS <= present < claims["exp"] + LEEWAY_SECONDS:
        raise InvalidTokenError("not yet, or not any more")
    return claims


def init_app(app: Flask, settings: Settings, keys: KeyRing) -> None:
    """Bind the token library and register `identify`."""
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=settings.access_token_minutes),
        JWT_ENCODE_ISSUER=_ISSUER,
        JWT_DECODE_ISSUER=_ISSUER,
        JWT_ENCODE_AUDIENCE=_AUDIENCE,
        JWT_DECODE_AUDIENCE=_AUDIENCE,
        JWT_DECODE_LEEWAY=timedelta(days=1),  # of the library's own clock: `_in_time` looks closer
        JWT_ERROR_MESSAGE_KEY="detail",
    )
    ring = app.extensions["taskmanager-keys"] = LiveRing(settings.keys_path, keys)
    longest = settings.access_token_minutes * 60
    manager = TokenManager(app, ring)

    @manager.encode_key_loader
    def signing_key(identity: str) -> Any:
        """The key that `issue` has named in the token's header."""
        return ring.keys[g.signing_kid]

    @manager.decode_key_loader
    def find_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        """The public key of the token's `kid`. Raises InvalidTokenError for all that is not our own access token."""
        if header.get("typ") != _TYPE or header.get("alg") != ALGORITHM or not claims.keys() >= _REQUIRED:
            raise InvalidTokenError("not an access token")
        key = ring.find(str(header.get("kid")))
        if key is None or claims["type"] != "access":
            raise InvalidTokenError("unknown key")
        if any(type(claims[name]) is not int for name in _TIMES) or claims["exp"] - claims["iat"] > longest:
            raise InvalidTokenError("times that we do not give")
        return key.public_key()

    app.before_request(identify)


def issue(user_id: ObjectId, session_id: ObjectId) -> str:
    """An access token for a session."""
    kid = g.signing_kid = current_app.extensions["taskmanager-keys"].active_kid
    begins, lifetime = int(now().timestamp()), current_app.config["JWT_ACCESS_TOKEN_EXPIRES"]
    times = {"iat": begins, "nbf": begins, "exp": begins + int(lifetime.total_seconds())}
    return jwt_extended.create_access_token(
        str(user_id), additional_claims={"sid": str(session_id)} | times, additional_headers={"kid": kid, "typ": _TYPE}
    )


def identify() -> None:
    """Read the token, if there is a good one, into `g`; whether one is needed is decided by the route."""
    g.claimed_user_id = None
    if "Authorization" not in request.headers or request.method == "OPTIONS":
        return None
    found = _BEARER.fullmatch(request.headers["Authorization"])
    if found and found[1].startswith(API_TOKEN):
        return _identify_token(found[1])
    if found and found[1].startswith(_SHARED):
        g.share_token = found[1]
        return None
    if found is None:
        g.token_refused = True
        return None
    try:
        claims = jwt_extended.decode_token(found[1])
        g.claimed_user_id, g.session_id = ObjectId(claims["sub"]), ObjectId(claims["sid"])
        g.access_key = access.key(g.claimed_user_id)
    except _REFUSED:
        g.claimed_user_id, g.token_refused = None, True
    return None


def _identify_token(token: str) -> None:
    known = sealed.unseal(API_TOKEN, token)
    if known is None or len(known.ids) != 2:
        g.token_refused = True
        return
    g.claimed_user_id, g.token_id = known.ids
    g.token_hash = sealed.fingerprint(token)
    g.access_key = access.key(g.claimed_user_id)


def current_actor() -> Actor:
    """The actor of this request. Raises Unauthenticated."""
    if "actor" not in g:
        g.actor = _actor()
        g.user_id = g.actor.identity
    return g.actor


def live_user_id() -> ObjectId | None:
    """Return the account whose token this request has; None without a token, and for one that is good no more.

    A token that this process knows to be good or dead costs the database nothing. Any other is looked up, before it is
    counted.
    """
    if g.get("claimed_user_id") is None:
        return None
    if "live_user_id" not in g:
        g.live_user_id = g.claimed_user_id if _is_live() else None
    return g.live_user_id


def _is_live() -> bool:
    if _acting(access.kept(g.claimed_user_id)):
        return True
    version = _stored_version()
    if dead_tokens.has(_credential(), version):
        return False
    try:
        with capacity.acquire_slot():
            return _look_up(version) is not None
    except PyMongoError as error:
        breaker.trip(error)
    except Unavailable:
        pass
    return True  # this lets no request in: the view needs the database too


def _credential() -> tuple[ObjectId, Any]:
    """Return what tells the token of this request from others of its account."""
    return g.claimed_user_id, g.token_hash if "token_id" in g else g.session_id


def _look_up(version: int | None) -> Actor | None:
    """Return the account acting by the token of this request; None for a token that is dead, which is kept in mind."""
    if dead_tokens.has(_credential(), version):
        return None
    found = access.find(g.claimed_user_id, version)
    actor = _acting(found)
    if actor is None:
        dead_tokens.add(_credential(), found.version if found else version)
    return actor


def _acting(found: Access | None) -> Actor | None:
    """The account acting by the token of this request."""
    if found is None:
        return None
    return found.by_token(g.token_id, g.token_hash) if "token_id" in g else found.by_session(g.session_id)


def _actor() -> Actor:
    if "share_token" in g:
        return _visitor(g.share_token)
    if g.get("claimed_user_id") is None:
        if g.get("token_refused"):
            raise Unauthenticated("The access token is not valid or has expired.", code="auth.invalid_token")
        raise Unauthenticated
    actor = _look_up(_version())
    if "token_id" in g:
        if actor is None:
            raise Unauthenticated("This API token is not valid or has expired.", code="auth.invalid_token")
        access.sources.token_used(g.token_id, request.remote_addr or "")
        return actor
    if actor is None:
        raise Unauthenticated("This session has ended: log in again.", code="auth.session_ended")
    return actor


def _visitor(token: str) -> Actor:
    visitor = access.sources.visitor(token)
    if visitor is None:
        raise Unauthenticated("This share link is not valid or has expired.", code="auth.invalid_token")
    return visitor


def _version() -> int | None:
    """The account's access version by the cache store; fetched with the rate limit where that is on."""
    return g.get("access_version") if limiter.enabled else _stored_version()


def _stored_version() -> int | None:
    """The account's access version as the cache store has it; None when it has none, or is away."""
    if cache_rest.resting:
        return None
    try:
        found: Any = cache_store().get(g.access_key)
    except RedisError:
        cache_rest.failed()
        return None
    return int(found) if found else None
