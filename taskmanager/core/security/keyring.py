"""The keys that sign access tokens: Ed25519, one PEM file each, named by their id (`kid`).

The newest key signs; all verify, so a rotated key stays until the tokens that it signed have expired. Running processes
read the folder every few seconds: a new key signs only after every process has had the time to load it.
"""

import base64
import fcntl
import secrets
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from taskmanager.core.errors import Misconfigured

ALGORITHM = "EdDSA"

log = structlog.get_logger("taskmanager.keys")

_REFRESH_SECONDS = 5.0
_SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class KeyRing:
    """Signing keys by id, oldest first."""

    keys: dict[str, Ed25519PrivateKey]

    @property
    def active_kid(self) -> str:
        """Return the id of the key that signs."""
        return list(self.keys)[-1]

    @property
    def active(self) -> Ed25519PrivateKey:
        return self.keys[self.active_kid]

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that access tokens are checked with (RFC 7517)."""
        return {"keys": [_public_jwk(kid, key) for kid, key in self.keys.items()]}


class LiveRing:
    """The key ring of a folder, read again at most every five seconds; each request uses it."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder, self._ring, self._refreshed = folder, ring, time.monotonic()
        self._lock = threading.Lock()  # of the thread that reads the folder: the others need what it finds

    @property
    def keys(self) -> dict[str, Ed25519PrivateKey]:
        """Return all keys that verify, by id."""
        self._refresh(_REFRESH_SECONDS)
        return self._ring.keys

    @property
    def active_kid(self) -> str:
        """Return the id of the key that signs: the newest that every process has loaded."""
        settled = time.time() - _SETTLE_SECONDS
        known = [kid for kid in self.keys if _made(self._folder, kid) <= settled]
        return (known or list(self.keys)[:1])[-1]

    @property
    def active(self) -> Ed25519PrivateKey:
        return self.keys[self.active_kid]

    def find(self, kid: str) -> Ed25519PrivateKey | None:
        """Return the key of this id, or None. For an unknown id the folder is read again, at most once a second."""
        if kid not in self._ring.keys:
            self._refresh(1.0)
        return self.keys.get(kid)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that access tokens are checked with (RFC 7517)."""
        return KeyRing(self.keys).jwks()

    def _refresh(self, seconds: float) -> None:
        if time.monotonic() - self._refreshed < seconds:
            return
        with self._lock:
            if time.monotonic() - self._refreshed < seconds:
                return
            try:
                if {path.stem for path in self._folder.glob("*.pem")} != self._ring.keys.keys():
                    self._ring = load(self._folder)
            except (Misconfigured, OSError):  # keep the present ring
                log.exception("signing keys cannot be read")
            self._refreshed = time.monotonic()


def rotate(folder: Path, keep_seconds: float) -> tuple[str, list[str]]:
    """Add a key, and delete those that were replaced more than `keep_seconds` ago.

    Return the id of the new key, and the ids of the deleted ones.
    """
    kids = [path.stem for path in sorted(folder.glob("*.pem"))]
    replaced = pairwise(kids)
    over = [kid for kid, next_kid in replaced if time.time() - _made(folder, next_kid) > keep_seconds]
    new = create(folder)
    for kid in over:
        (folder / f"{kid}.pem").unlink(missing_ok=True)
    return new, over


def described(folder: Path) -> list[tuple[str, datetime, str]]:
    """Return (id, time of creation, "signing", "settling" or "verifying") for each key, oldest first."""
    ring = LiveRing(folder, load(folder))
    states = dict.fromkeys(ring.keys, "verifying") | {ring.active_kid: "signing"}
    newest = list(ring.keys)[-1]
    if newest != ring.active_kid:
        states[newest] = "settling"
    return [(kid, datetime.fromtimestamp(_made(folder, kid), UTC), state) for kid, state in states.items()]


def _made(folder: Path, kid: str) -> float:
    try:
        return (folder / f"{kid}.pem").stat().st_mtime
    except FileNotFoundError:  # deleted in the meantime
        return 0.0


def load(folder: Path) -> KeyRing:
    """Read the ring from `folder`. Raises Misconfigured when there is no key or a file is not a key."""
    paths = sorted(folder.glob("*.pem"))
    if not paths:
        raise Misconfigured(f"no signing key in {folder}: make one with `taskmanager keys create`")
    return KeyRing({path.stem: _read(path) for path in paths})


def create(folder: Path) -> str:
    """Create a key, which signs as soon as every process has loaded it; return its id."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # sorts by age, to the microsecond because two keys can be created within one millisecond
    kid = f"{datetime.now(UTC):%Y%m%d%H%M%S%f}-{secrets.token_hex(4)}"
    draft = folder / f"{kid}.draft"
    draft.touch(mode=0o600)
    draft.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    draft.rename(folder / f"{kid}.pem")
    return kid


def ensure(folder: Path) -> KeyRing:
    """Read the ring, and create the first key when there is none; safe for concurrent processes."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not any(folder.glob("*.pem")):
            create(folder)
    return load(folder)


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Misconfigured(f"{path} is not an Ed25519 private key in PEM form")
    return key


def _public_jwk(kid: str, key: Ed25519PrivateKey) -> dict[str, Any]:
    raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    x = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": kid, "x": x}
