"""The keys that sign access tokens: Ed25519, one PEM file each, named by their id (`kid`).

The newest signs; all verify, so a rotated key stays until the tokens it signed have ended. Processes that run
look at the folder again and again: a new key signs only when every process has had the time to find it.
"""

import base64
import fcntl
import secrets
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

_LOOK_SECONDS = 5.0
_SETTLE_SECONDS = 15.0


@dataclass(frozen=True)
class KeyRing:
    """Signing keys by id, oldest first."""

    keys: dict[str, Ed25519PrivateKey]

    @property
    def active_kid(self) -> str:
        """Return id of the key that signs."""
        return list(self.keys)[-1]

    @property
    def active(self) -> Ed25519PrivateKey:
        return self.keys[self.active_kid]

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that access tokens are checked with (RFC 7517)."""
        return {"keys": [_public_jwk(kid, key) for kid, key in self.keys.items()]}


class LiveRing:
    """The ring as the folder has it now; it is asked for on each request, and looks at the folder now and then."""

    def __init__(self, folder: Path, ring: KeyRing) -> None:
        self._folder, self._ring, self._looked = folder, ring, time.monotonic()

    @property
    def keys(self) -> dict[str, Ed25519PrivateKey]:
        """Return all keys that verify, by id."""
        self._look(_LOOK_SECONDS)
        return self._ring.keys

    @property
    def active_kid(self) -> str:
        """Return id of the key that signs: the newest that every process knows."""
        settled = time.time() - _SETTLE_SECONDS
        known = [kid for kid in self.keys if _made(self._folder, kid) <= settled]
        return (known or list(self.keys)[:1])[-1]

    @property
    def active(self) -> Ed25519PrivateKey:
        return self.keys[self.active_kid]

    def find(self, kid: str) -> Ed25519PrivateKey | None:
        """Return the key of this id; one that is not known may be new, so the folder is looked at, at most once a
        second.
        """
        if kid not in self._ring.keys:
            self._look(1.0)
        return self.keys.get(kid)

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """Return the public keys that access tokens are checked with (RFC 7517)."""
        return KeyRing(self.keys).jwks()

    def _look(self, seconds: float) -> None:
        if time.monotonic() - self._looked < seconds:
            return
        self._looked = time.monotonic()
        if {path.stem for path in self._folder.glob("*.pem")} == self._ring.keys.keys():
            return
        try:
            self._ring = load(self._folder)
        except (Misconfigured, OSError):  # the ring that is known stays in force
            log.exception("signing keys cannot be read")


def rotate(folder: Path, keep_seconds: float) -> tuple[str, list[str]]:
    """Add a key, and remove those that were replaced more than `keep_seconds` ago; answers its id and theirs."""
    kids = [path.stem for path in sorted(folder.glob("*.pem"))]
    replaced = pairwise(kids)
    over = [kid for kid, next_kid in replaced if time.time() - _made(folder, next_kid) > keep_seconds]
    new = create(folder)
    for kid in over:
        (folder / f"{kid}.pem").unlink(missing_ok=True)
    return new, over


def described(folder: Path) -> list[tuple[str, datetime, str]]:
    """Return each key's id, when it was made, and whether it is signing, settling or only verifying; oldest first."""
    ring = LiveRing(folder, load(folder))
    states = dict.fromkeys(ring.keys, "verifying") | {ring.active_kid: "signing"}
    newest = list(ring.keys)[-1]
    if newest != ring.active_kid:
        states[newest] = "settling"
    return [(kid, datetime.fromtimestamp(_made(folder, kid), UTC), state) for kid, state in states.items()]


def _made(folder: Path, kid: str) -> float:
    try:
        return (folder / f"{kid}.pem").stat().st_mtime
    except FileNotFoundError:  # removed a moment ago
        return 0.0


def load(folder: Path) -> KeyRing:
    """Read the ring from `folder`. Raises Misconfigured when there is no key or a file is none."""
    paths = sorted(folder.glob("*.pem"))
    if not paths:
        raise Misconfigured(f"no signing key in {folder}: make one with `taskmanager keys create`")
    return KeyRing({path.stem: _read(path) for path in paths})


def create(folder: Path) -> str:
    """Add a new key, which signs as soon as every process knows it; answers its id."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    # sorts by age: to the microsecond, because two keys can be made within one millisecond
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
    """Read the ring, making the first key when there is none; safe under racing processes."""
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
