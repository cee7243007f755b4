"""The keys that sign access tokens: Ed25519, one PEM file each, named by their id (`kid`).

The newest signs; all verify, so a rotated key stays until the tokens it signed have ended.
"""

import base64
import fcntl
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from taskmanager.core.clock import now
from taskmanager.core.errors import Misconfigured

ALGORITHM = "EdDSA"


@dataclass(frozen=True)
class KeyRing:
    """Signing keys by id, oldest first."""

    keys: dict[str, Ed25519PrivateKey]

    @property
    def active_kid(self) -> str:
        """Id of the key that signs."""
        return list(self.keys)[-1]

    @property
    def active(self) -> Ed25519PrivateKey:
        return self.keys[self.active_kid]

    def jwks(self) -> dict[str, list[dict[str, Any]]]:
        """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return {"keys": [_public_jwk(kid, key) for kid, key in self.keys.items()]}


def load(folder: Path) -> KeyRing:
    """Read the ring from `folder`. Raises Misconfigured when there is no key or a file is none."""
    paths = sorted(folder.glob("*.pem"))
    if not paths:
        raise Misconfigured(f"no signing key in {folder}: make one with `taskmanager keys create`")
    return KeyRing({path.stem: _read(path) for path in paths})


def create(folder: Path) -> str:
    """Add a new key, which signs from the next start on; answers its id."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    kid = f"{now():%Y%m%d%H%M%S}-{secrets.token_hex(4)}"
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
