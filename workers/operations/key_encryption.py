"""The keys and the secret of the service in a backup, encrypted by a passphrase (scrypt, RFC 7914; Fernet)."""

import base64
import json
import os
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from taskmanager.core.configuration.settings import Settings
from workers.operations.archive import BackupError

MIN_CHARACTERS = 12
_SALT_BYTES = 16


def encrypt(settings: Settings, passphrase: str) -> bytes:
    """Return the secret and the signing keys, encrypted. Raises BackupError for a short passphrase."""
    if len(passphrase) < MIN_CHARACTERS:
        raise BackupError(f"The passphrase must have {MIN_CHARACTERS} characters at least.")
    keys = {path.name: path.read_text() for path in sorted(settings.keys_path.glob("*.pem"))}
    salt = os.urandom(_SALT_BYTES)
    return salt + _cipher(passphrase, salt).encrypt(
        json.dumps({"secret": settings.secret().decode(), "keys": keys}).encode()
    )


def decrypt(encrypted: bytes, passphrase: str) -> dict[str, dict[str, str] | str]:
    """Return {"secret", "keys": {name of the file: text}}. Raises BackupError for a wrong passphrase."""
    try:
        text = _cipher(passphrase, encrypted[:_SALT_BYTES]).decrypt(encrypted[_SALT_BYTES:])
    except InvalidToken:
        raise BackupError("The passphrase does not open the keys of this backup.") from None
    found: dict[str, dict[str, str] | str] = json.loads(text)
    return found


def install(settings: Settings, found: dict[str, dict[str, str] | str]) -> list[str]:
    """Write keys and secret where this installation has none; return what an operator must do besides."""
    secret, keys = str(found["secret"]), dict(found["keys"])  # type: ignore[arg-type]
    settings.keys_path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in keys.items():
        _write(settings.keys_path / Path(name).name, text)
    if settings.secret_key.get_secret_value() == secret:
        return []
    if settings.secret_key.get_secret_value():
        return ["TASKMANAGER_SECRET_KEY is not that of the backup: links in mails and API tokens need the former."]
    path = settings.data_dir / "secret"
    if path.exists() and path.read_text() != secret:
        path.rename(path.with_name("secret.before-restore"))
    _write(path, secret)
    return []


def _write(path: Path, text: str) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(text)


def _cipher(passphrase: str, salt: bytes) -> Fernet:
    derived = Scrypt(salt=salt, length=32, n=2**15, r=8, p=1).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
