"""The table of forged access tokens: each is a good one with one thing wrong."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from bson import ObjectId
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from taskmanager.core.security.keyring import KeyRing

Claims = dict[str, Any]
Sign = Callable[[bytes], bytes]

_MISSING = object()


class Forger:
    """Knows the keys of the service, and a good token of a real session to begin with."""

    def __init__(self, keys: KeyRing, good: str, *, stranger_id: str, stranger_session: str) -> None:
        self.keys, self.good = keys, good
        self.header, self.claims = (json.loads(_decode(part)) for part in good.split(".")[:2])
        self.stranger_id, self.stranger_session = stranger_id, stranger_session

    def token(self, header: Claims | None = None, sign: Sign | None = None, **claims: Any) -> str:
        """A token with these changes, signed by the real key unless told otherwise."""
        merged = _merge(self.claims, claims)
        return join(_dump(_merge(self.header, header or {})), _dump(merged), sign or self.keys.active.sign)

    def raw(self, header: bytes, claims: bytes) -> str:
        """A token of exactly these bytes, signed by the real key."""
        return join(header, claims, self.keys.active.sign)

    @property
    def public_pem(self) -> bytes:
        """What is public of the key, in the form that "algorithm confusion" uses as a secret."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.keys.active.public_key().public_bytes(serialization.Encoding.PEM, form)

    @property
    def public_raw(self) -> bytes:
        return self.keys.active.public_key().public_bytes_raw()


def join(header: bytes, claims: bytes, sign: Sign) -> str:
    """The compact form of a JWS."""
    signed = f"{_encode(header)}.{_encode(claims)}"
    return f"{signed}.{_encode(sign(signed.encode()))}"


def _merge(base: Claims, changes: Claims) -> Claims:
    return {name: value for name, value in (base | changes).items() if value is not _MISSING}


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _hs256(secret: bytes) -> Sign:
    return lambda message: hmac.digest(secret, message, hashlib.sha256)


def _nothing(_message: bytes) -> bytes:
    return b""


_RSA = rsa.generate_private_key(65537, 2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_OTHER = Ed25519PrivateKey.generate()
_OTHER_JWK = {"kty": "OKP", "crv": "Ed25519", "x": _encode(_OTHER.public_key().public_bytes_raw())}


def _rs256(message: bytes) -> bytes:
    return _RSA.sign(message, padding.PKCS1v15(), hashes.SHA256())


def _es256(message: bytes) -> bytes:
    return _EC.sign(message, ec.ECDSA(hashes.SHA256()))


def _flipped(token: str) -> str:
    """The same token with one bit of the signature changed."""
    head, _, signature = token.rpartition(".")
    raw = bytearray(_decode(signature))
    raw[0] ^= 1
    return f"{head}.{_encode(bytes(raw))}"


def _payload_swapped(forger: Forger) -> str:
    header, _, signature = forger.good.split(".")
    return f"{header}.{_encode(_dump(forger.claims | {'sub': forger.stranger_id}))}.{signature}"


_DEEP = b"[" * 50_000 + b"]" * 50_000

FORGERIES: dict[str, Callable[[Forger], str]] = {
    # signatures
    "alg none, no signature": lambda f: f.token({"alg": "none"}, _nothing),
    "alg None, no signature": lambda f: f.token({"alg": "None"}, _nothing),
    "alg NONE with the real signature": lambda f: f.token({"alg": "NONE"}),
    "no alg": lambda f: f.token({"alg": _MISSING}),
    "alg null": lambda f: f.token({"alg": None}),
    "alg as a list": lambda f: f.token({"alg": ["EdDSA"]}),
    "alg in small letters": lambda f: f.token({"alg": "eddsa"}),
    "HS256 with the public key as secret": lambda f: f.token({"alg": "HS256"}, _hs256(f.public_pem)),
    "HS256 with the raw public key as secret": lambda f: f.token({"alg": "HS256"}, _hs256(f.public_raw)),
    "HS256 with an empty secret": lambda f: f.token({"alg": "HS256"}, _hs256(b"")),
    "RS256 with a key of one's own": lambda f: f.token({"alg": "RS256"}, _rs256),
    "ES256 with a key of one's own": lambda f: f.token({"alg": "ES256"}, _es256),
    "EdDSA with a key of one's own": lambda f: f.token(sign=_OTHER.sign),
    "no signature": lambda f: f.token(sign=_nothing),
    "signature of zeros": lambda f: f.token(sign=lambda _message: b"\0" * 64),
    "signature with a bit flipped": lambda f: _flipped(f.good),
    "signature cut short": lambda f: f.good[:-4],
    "payload swapped": _payload_swapped,
    # keys named in the header
    "unknown kid": lambda f: f.token({"kid": "unknown"}, _OTHER.sign),
    "no kid": lambda f: f.token({"kid": _MISSING}),
    "kid null": lambda f: f.token({"kid": None}),
    "kid as a path": lambda f: f.token({"kid": "../../../../dev/null"}, _OTHER.sign),
    "kid as an address": lambda f: f.token({"kid": "https://evil.example.com/key"}, _OTHER.sign),
    "kid as a list": lambda f: f.token({"kid": [f.keys.active_kid]}),
    "kid as a number": lambda f: f.token({"kid": 7}),
    "kid as an object": lambda f: f.token({"kid": {"$ne": None}}),
    "kid, huge": lambda f: f.token({"kid": "x" * 3000}),
    "jwk embedded": lambda f: f.token({"jwk": _OTHER_JWK}, _OTHER.sign),
    "jku": lambda f: f.token({"jku": "https://evil.example.com/jwks.json"}, _OTHER.sign),
    "x5u": lambda f: f.token({"x5u": "https://evil.example.com/cert.pem"}, _OTHER.sign),
    "x5c": lambda f: f.token({"x5c": ["MIIB"]}, _OTHER.sign),
    "crit": lambda f: f.token({"crit": ["nonsense"], "nonsense": 1}),
    "b64 false": lambda f: f.token({"b64": False, "crit": ["b64"]}),
    "typ JWT": lambda f: f.token({"typ": "JWT"}),
    "no typ": lambda f: f.token({"typ": _MISSING}),
    "typ as a list": lambda f: f.token({"typ": ["at+jwt"]}),
    # claims, signed by the real key
    **{
        f"no {name}": lambda f, name=name: f.token(**{name: _MISSING})  # type: ignore[misc]
        for name in ("exp", "iat", "nbf", "jti", "sub", "sid", "iss", "aud", "type")
    },
    "aud of another service": lambda f: f.token(aud="another"),
    "aud null": lambda f: f.token(aud=None),
    "aud as an empty list": lambda f: f.token(aud=[]),
    "aud as a number": lambda f: f.token(aud=7),
    "iss of another service": lambda f: f.token(iss="https://evil.example.com"),
    "iss as a list": lambda f: f.token(iss=["taskmanager", "x"]),
    "type refresh": lambda f: f.token(type="refresh"),
    "type as a list": lambda f: f.token(type=["access"]),
    "exp in the past": lambda f: f.token(exp=int(time.time()) - 60),
    "exp zero": lambda f: f.token(exp=0),
    "exp negative": lambda f: f.token(exp=-1),
    "exp null": lambda f: f.token(exp=None),
    "exp as a word": lambda f: f.token(exp="never"),
    "exp as digits": lambda f: f.token(exp=str(int(time.time()) + 600)),
    "exp as a float": lambda f: f.token(exp=time.time() + 600.5),
    "exp as a list": lambda f: f.token(exp=[int(time.time()) + 600]),
    "exp as true": lambda f: f.token(exp=True),
    "exp huge": lambda f: f.token(exp=10**30),
    "exp NaN": lambda f: f.token(exp=float("nan")),
    "exp Infinity": lambda f: f.token(exp=float("inf")),
    "nbf in the future": lambda f: f.token(nbf=int(time.time()) + 600),
    "nbf as a word": lambda f: f.token(nbf="soon"),
    "nbf Infinity": lambda f: f.token(nbf=float("inf")),
    "iat in the future": lambda f: f.token(iat=int(time.time()) + 600),
    "iat as a list": lambda f: f.token(iat=[]),
    "iat Infinity": lambda f: f.token(iat=float("inf")),
    "sub as a number": lambda f: f.token(sub=7),
    "sub as a list": lambda f: f.token(sub=[f.claims["sub"]]),
    "sub as an object": lambda f: f.token(sub={"$ne": None}),
    "sub null": lambda f: f.token(sub=None),
    "sub empty": lambda f: f.token(sub=""),
    "sub no id": lambda f: f.token(sub="x" * 24),
    "sub of twelve letters": lambda f: f.token(sub="x" * 12),
    "sub unknown": lambda f: f.token(sub=str(ObjectId())),
    "sub of another account": lambda f: f.token(sub=f.stranger_id),
    "sid of another account": lambda f: f.token(sid=f.stranger_session),
    "sid unknown": lambda f: f.token(sid=str(ObjectId())),
    "sid null": lambda f: f.token(sid=None),
    "sid no id": lambda f: f.token(sid="all"),
    "sid as a list": lambda f: f.token(sid=[f.claims["sid"]]),
    "jti as a number": lambda f: f.token(jti=7),
    # forms
    "no dots": lambda f: "nonsense",
    "one part": lambda f: f.good.split(".")[0],
    "two parts": lambda f: f.good.rpartition(".")[0],
    "four parts": lambda f: f.good + ".x",
    "five parts": lambda f: f.good + ".x.y",
    "dots only": lambda f: "..",
    "many dots": lambda f: "." * 3000,
    "padded": lambda f: f.good + "==",
    "not base64": lambda f: "a!b.c!d.e!f",
    "unicode": lambda f: "ü.ü.ü",
    "100 kB": lambda f: "x" * 100_000,
    "100 kB, in parts": lambda f: ".".join(["x" * 33_000] * 3),
    "header no object": lambda f: f.raw(b"[]", _dump(f.claims)),
    "header null": lambda f: f.raw(b"null", _dump(f.claims)),
    "header no JSON": lambda f: f.raw(b"{", _dump(f.claims)),
    "header not UTF-8": lambda f: f.raw(b'{"alg": "\xff"}', _dump(f.claims)),
    "header, deep": lambda f: f.raw(b'{"alg": "EdDSA", "x": ' + _DEEP[:1000] + b"}", _dump(f.claims)),
    "claims no object": lambda f: f.raw(_dump(f.header), b"[1]"),
    "claims null": lambda f: f.raw(_dump(f.header), b"null"),
    "claims a number": lambda f: f.raw(_dump(f.header), b"1"),
    "claims, deep": lambda f: f.raw(_dump(f.header), b"[" * 1400 + b"]" * 1400),
    "claims, 2,000 digits": lambda f: f.raw(_dump(f.header), b'{"exp": ' + b"9" * 2000 + b"}"),
    "claims with a lone surrogate": lambda f: f.token(sub="\ud800"),
}

# Values of the whole Authorization header.
HEADERS: dict[str, Callable[[str], str]] = {
    "empty": lambda token: "",
    "spaces": lambda token: "   ",
    "comma": lambda token: ",",
    "commas": lambda token: ", , ,",
    "scheme only": lambda token: "Bearer",
    "scheme and a space": lambda token: "Bearer ",
    "another scheme": lambda token: f"Token {token}",
    "Basic": lambda token: "Basic YTpi",
    "Digest": lambda token: 'Digest username="a"',
    "no scheme": lambda token: token,
    "no space": lambda token: f"Bearer{token}",
    "colon": lambda token: f"Bearer: {token}",
    "in quotes": lambda token: f'Bearer "{token}"',
    "twice": lambda token: f"Bearer {token} {token}",
    "two values": lambda token: f"Bearer {token}, Bearer {token}",
    "a bad and a good value": lambda token: f"Bearer x, Bearer {token}",
    "a good and a bad value": lambda token: f"Bearer {token}, Bearer x",
    "not ASCII": lambda token: "Bearer \xff",
    "null": lambda token: "Bearer null",
}
