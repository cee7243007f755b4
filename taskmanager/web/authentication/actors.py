"""Authentication: the actor of a request, by its token. Flask-JWT-Extended verifies JWTs, with stricter checks here.

There are two steps. `claim` reads only the token, a JWT of a session or an API token (`tm_…`), so that the limiter can
count accounts and read the account's access version in the same round trip. `current_actor` then loads the account's
rights (`core.security.access`) and refuses an ended session or token. Both run once per request, and `g` keeps the
results. The token of a share link has no account: its requests are counted by address, and each request reads the link.
"""

import re
from collections import OrderedDict
from datetime import timedelta
from typing import Any, NamedTuple, cast

import flask_jwt_extended as jwt_extended
import jwt
from bson import ObjectId
from flask import Flask, current_app, g, request
from jwt import InvalidTokenError
from pymongo.errors import PyMongoError

from taskmanager.core.clock import now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Unauthenticated, Unavailable
from taskmanager.core.security import access
from taskmanager.core.security.access import Actor
from taskmanager.core.security.dead_tokens import dead_tokens
from taskmanager.core.security.keyring import ALGORITHM, KeyRing, LiveRing
from taskmanager.core.storage.database import breaker, capacity
from taskmanager.core.telemetry.instruments import count_reads
from taskmanager.extensions import limiter
from taskmanager.web.authentication.context import current_request, given_header, request_globals
from taskmanager.web.authentication.credentials import Credential, CredentialClaim, claim_of

_TYPE = "at+jwt"  # RFC 9068: an access token cannot be mistaken for another kind
_ISSUER, _AUDIENCE = "taskmanager", "taskmanager-api"
_REQUIRED = {"exp", "iat", "nbf", "jti", "sub", "sid", "iss", "aud", "type"}
_MAX_VERIFIED = 10_000
_MAX_TOKEN_CHARACTERS = 4_096
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]{86}", re.ASCII)  # PyJWT accepts padding too: many spellings of one token
LEEWAY_SECONDS = 5
_TIMES = ("exp", "iat", "nbf")


class TokenManager(jwt_extended.JWTManager):
    """Caches verified tokens, because a signature costs more than the rest of a read. Expiry is checked each time."""

    def __init__(self, app: Flask, ring: LiveRing) -> None:
        self._ring = ring
        self._verified: OrderedDict[str, tuple[str, dict[str, Any]]] = OrderedDict()
        super().__init__(app, add_context_processor=False)

    def _decode_jwt_from_config(
        self, encoded_token: str, csrf_value: str | None = None, allow_expired: bool = False
    ) -> dict[str, Any]:
        kid, claims = self._verified.get(encoded_token, ("", {}))
        is_verified = kid in self._ring.keys
        count_reads("access tokens", hits=is_verified, misses=not is_verified)
        if is_verified:
            return _in_time(claims)
        if len(encoded_token) > _MAX_TOKEN_CHARACTERS or not _FORM.fullmatch(encoded_token):
            raise InvalidTokenError("not the format of an access token")
        claims = _in_time(super()._decode_jwt_from_config(encoded_token, csrf_value, allow_expired=True))
        self._verified[encoded_token] = jwt.get_unverified_header(encoded_token)["kid"], claims
        if len(self._verified) > _MAX_VERIFIED:
            self._verified.popitem(last=False)
        return claims


def _in_time(claims: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of a token that is valid now, by the database's clock; the library uses the local clock.

    There are LEEWAY_SECONDS of leeway (RFC 7519, 4.1.4 and 4.1.5), because synchronized clocks still differ a little.
    Raises InvalidTokenError.
    """
    present = now().timestamp()
    begins = max(claims["iat"], claims["nbf"])
    if not begins - LEEWAY_SECONDS <= present < claims["exp"] + LEEWAY_SECONDS:
        raise InvalidTokenError("not valid yet, or expired")
    return claims


def init_app(app: Flask, settings: Settings, keys: KeyRing) -> None:
    """Bind the token library."""
    app.config.update(
        JWT_ALGORITHM=ALGORITHM,
        JWT_DECODE_ALGORITHMS=[ALGORITHM],
        JWT_TOKEN_LOCATION=["headers"],
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(minutes=settings.access_token_minutes),
        JWT_ENCODE_ISSUER=_ISSUER,
        JWT_DECODE_ISSUER=_ISSUER,
        JWT_ENCODE_AUDIENCE=_AUDIENCE,
        JWT_DECODE_AUDIENCE=_AUDIENCE,
        JWT_DECODE_LEEWAY=timedelta(days=1),  # for the library's local clock: `_in_time` checks exactly
        JWT_ERROR_MESSAGE_KEY="detail",
    )
    ring = app.extensions["taskmanager-keys"] = LiveRing(settings.keys_path, keys)
    longest = settings.access_token_minutes * 60
    manager = TokenManager(app, ring)

    manager.user_identity_loader(lambda signed: str(signed.user_id))
    manager.additional_headers_loader(lambda signed: {"kid": signed.kid, "typ": _TYPE})
    manager.encode_key_loader(lambda signed: ring.keys[signed.kid])

    @manager.decode_key_loader
    def find_key(header: dict[str, Any], claims: dict[str, Any]) -> Any:
        """Return the public key of the token's `kid`. Raises InvalidTokenError unless it is an access token of ours."""
        if header.get("typ") != _TYPE or header.get("alg") != ALGORITHM or not claims.keys() >= _REQUIRED:
            raise InvalidTokenError("not an access token")
        key = ring.find(str(header.get("kid")))
        if key is None or claims["type"] != "access":
            raise InvalidTokenError("unknown key")
        if any(type(claims[name]) is not int for name in _TIMES) or claims["exp"] - claims["iat"] > longest:
            raise InvalidTokenError("impossible times")
        return key.public_key()


class _Signed(NamedTuple):
    """The account of a new token, and the key that signs it: the argument of the loaders in `init_app`."""

    user_id: ObjectId
    kid: str


def issue(user_id: ObjectId, session_id: ObjectId) -> str:
    """Return a new access token for a session."""
    signed = _Signed(user_id, current_app.extensions["taskmanager-keys"].active_kid)
    begins, lifetime = int(now().timestamp()), current_app.config["JWT_ACCESS_TOKEN_EXPIRES"]
    times = {"iat": begins, "nbf": begins, "exp": begins + int(lifetime.total_seconds())}
    return jwt_extended.create_access_token(signed, additional_claims={"sid": str(session_id)} | times)


def claim() -> CredentialClaim:
    """Return what the token of this request claims; the route decides whether a token is needed."""
    found: CredentialClaim | None = vars(request_globals()).get("claim")
    if found is None:
        given = given_header("HTTP_AUTHORIZATION")
        found = g.claim = CredentialClaim() if current_request().method == "OPTIONS" else claim_of(given)
    return found


def use_claim(claimed: CredentialClaim) -> None:
    """Use this claim for the request, whatever its Authorization header says: pages have a session by a cookie."""
    g.claim = claimed


def current_actor() -> Actor:
    """Return the actor of this request. Raises Unauthenticated."""
    found: Actor | None = vars(request_globals()).get("actor")
    if found is None:
        found = g.actor = _actor(claim(), _version())
    return found


def renewed_actor() -> Actor:
    """Return the actor by the rights as they are now, for a request that has waited. Raises Unauthenticated."""
    g.pop("actor", None)
    g.access_version = _stored_version()
    return current_actor()


def fresh_actor() -> Actor:
    """Return the actor by the rights that MongoDB has now, whatever the cache store knows. Raises Unauthenticated."""
    g.actor = _actor(claim(), None)
    return cast(Actor, g.actor)


def known_actor() -> Actor | None:
    """Return the actor if `current_actor` was called in this request; None otherwise."""
    return cast(Actor | None, vars(request_globals()).get("actor"))


def live_user_id() -> ObjectId | None:
    """Return the account of the request's token; None without a token, and for one that is not valid any more.

    A token that this process knows to be valid or invalid needs no query. Any other is looked up before the request is
    counted.
    """
    credential = claim().credential
    if credential is None:
        return None
    per_request = vars(request_globals())
    if "live_user_id" not in per_request:
        per_request["live_user_id"] = credential.user_id if _is_live(credential) else None
    return cast(ObjectId | None, per_request["live_user_id"])


def version_key() -> str:
    """Return the key of the claimed account's access version in the cache store; without an account, an unused key."""
    credential = claim().credential
    return access.key(credential.user_id) if credential else "tm:anonymous"


def keep_version(version: int) -> None:
    """Keep the access version that the limiter has read, for the rest of this request."""
    g.access_version = version


def _is_live(credential: Credential) -> bool:
    if credential.acting(access.kept(credential.user_id)):
        return True
    version = _stored_version()
    if dead_tokens.has(credential.key, version):
        return False
    try:
        with capacity.acquire_slot():
            return _look_up(credential, version) is not None
    except PyMongoError as error:
        breaker.trip(error)
    except Unavailable:
        pass
    return True  # this admits no request, because the view needs the database too


def _look_up(credential: Credential, version: int | None) -> Actor | None:
    """Return the actor of a token; None for an invalid token, which is stored in `dead_tokens`."""
    if dead_tokens.has(credential.key, version):
        return None
    found = credential.rights(version)
    actor = credential.acting(found)
    if actor is None:
        dead_tokens.add(credential.key, found.version if found else version)
    return actor


def _actor(claimed: CredentialClaim, version: int | None) -> Actor:
    if claimed.share_token:
        return _visitor(claimed.share_token)
    if claimed.refused:
        raise Unauthenticated(
            "The access token is not valid or has expired: refresh it, or log in again, and send it as 'Bearer …'.",
            code="auth.invalid_token",
        )
    if claimed.credential is None:
        raise Unauthenticated
    actor = _look_up(claimed.credential, version)
    if actor is None and claimed.credential.token_hash:
        raise Unauthenticated("This API token is not valid or has expired.", code="auth.invalid_token")
    if actor is None:
        raise Unauthenticated("This session has ended: log in again.", code="auth.session_ended")
    if actor.token_id:
        access.loaders.token_used(actor.token_id, request.remote_addr or "")
    return actor


def _visitor(token: str) -> Actor:
    capacity.check_primary()
    visitor = access.loaders.visitor(token)
    if visitor is None:
        raise Unauthenticated("This share link is not valid or has expired.", code="auth.invalid_token")
    return visitor


def _version() -> int | None:
    """Return the account's access version in the cache store; the limiter has read it, if it is enabled."""
    return g.get("access_version") if limiter.enabled else _stored_version()


def _stored_version() -> int | None:
    """Read the account's access version from the cache store; None when it has none, or is away."""
    credential = claim().credential
    return access.stored_version(credential.user_id) if credential else None
