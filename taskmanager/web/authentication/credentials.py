"""What an Authorization header claims: an account by a session or an API token, or a visit by a share link."""

import re
from dataclasses import dataclass

import flask_jwt_extended as jwt_extended
from bson import ObjectId
from bson.errors import InvalidId
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import PyJWTError

from taskmanager.core.security import access, signed_tokens
from taskmanager.core.security.access import Access, Actor

API_TOKEN = "tm_"  # noqa: S105 begins every API token, so that scanners for leaked secrets find them
_SHARED = (access.SHARE_LINK, access.SHARE_VISIT)
_BEARER = re.compile(r"(?i:bearer) +(\S+)")  # the scheme is case-insensitive (RFC 9110, 11.1)
# Every error of a token is a 401 on routes that need one, and never another status.
_REFUSED = (
    JWTExtendedException,
    PyJWTError,
    InvalidId,
    ValueError,
    TypeError,
    LookupError,  # Flask-JWT-Extended raises IndexError for the header " , "
    ArithmeticError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True)
class Credential:
    """An account, and the session or API token that acts for it."""

    user_id: ObjectId
    id: ObjectId  # of the session, or of the API token
    token_hash: str = ""  # of the API token

    @property
    def key(self) -> tuple[ObjectId, ObjectId | str]:
        """Return a unique key: the account, and the session or the hash of the API token."""
        return self.user_id, self.token_hash or self.id

    def rights(self, version: int | None) -> Access | None:
        """Return the present rights of the account, as `access.find` does."""
        return access.find(self.user_id, version, session_id=None if self.token_hash else self.id)

    def acting(self, found: Access | None) -> Actor | None:
        """Return the actor of this credential; None when it is not valid."""
        if found is None:
            return None
        return found.by_token(self.id, self.token_hash) if self.token_hash else found.by_session(self.id)


@dataclass(frozen=True)
class CredentialClaim:
    """The content of a request's Authorization header, before any query."""

    credential: Credential | None = None
    share_token: str = ""
    refused: bool = False  # there is a header, but it contains no token of this service


def claim_of(header: str | None) -> CredentialClaim:
    """Return what an Authorization header claims, by its format and signature alone."""
    if header is None:
        return CredentialClaim()
    found = _BEARER.fullmatch(header)
    if found is None:
        return CredentialClaim(refused=True)
    if found[1].startswith(_SHARED):
        return CredentialClaim(share_token=found[1])
    return _of_token(found[1]) if found[1].startswith(API_TOKEN) else _of_session(found[1])


def _of_session(token: str) -> CredentialClaim:
    try:
        claims = jwt_extended.decode_token(token)
        return CredentialClaim(Credential(ObjectId(claims["sub"]), ObjectId(claims["sid"])))
    except _REFUSED:
        return CredentialClaim(refused=True)


def _of_token(token: str) -> CredentialClaim:
    known = signed_tokens.verify(API_TOKEN, token)
    if known is None or len(known.ids) != 2:
        return CredentialClaim(refused=True)
    return CredentialClaim(Credential(*known.ids, token_hash=signed_tokens.fingerprint(token)))


def acting_now(claim: CredentialClaim, *, fresh: bool = False, version: int | None = None) -> Actor | None:
    """Return the actor of a claim by the rights that hold now, outside of a request; None when it is not valid.

    `fresh` reads the version of the rights from MongoDB, whatever the cache store knows; `version` is the one that the
    caller has just read from there.
    """
    if claim.share_token:
        return access.loaders.visitor(claim.share_token)
    if claim.credential is None or claim.refused:
        return None
    credential = claim.credential
    known = None if fresh else version or access.stored_version(credential.user_id)
    return credential.acting(credential.rights(known))
