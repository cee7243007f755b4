"""The file of a backup: a compressed tar with a member for each collection (BSON, as mongodump writes it) and file.

The last member, `manifest.json`, has the checksum of each other, so a file that was cut off is recognised before
anything is restored from it.
"""

import hashlib
import io
import json
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import bson
from bson.raw_bson import RawBSONDocument

from taskmanager.core.errors import TaskManagerError

FORMAT = 1
_MANIFEST = "manifest.json"
_BLOCK = 1 << 20
_MAX_LEVEL = 6


class BackupError(TaskManagerError):
    """A backup cannot be written, or a file is none that can be restored."""

    code = "backup.failed"


class ArchiveWriter:
    """Writes an archive beside its place, and renames it when it is complete; only its owner may read it."""

    def __init__(self, path: Path) -> None:
        if path.exists():
            raise BackupError(f"{path} exists: choose another name, a backup is never overwritten.")
        self._path, self._draft = path, path.with_name(f"{path.name}.part")
        descriptor = os.open(self._draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self._file = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._file, mode="w:gz", compresslevel=_MAX_LEVEL)  # noqa: SIM115 see `finish`
        self._sums: dict[str, str] = {}

    def add(self, name: str, parts: Iterable[bytes]) -> int:
        """Write a member; return its number of bytes."""
        with tempfile.TemporaryFile(dir=self._path.parent) as spool:
            digest = hashlib.sha256()
            for part in parts:
                digest.update(part)
                spool.write(part)
            size = spool.tell()
            spool.seek(0)
            self._write(name, spool, size)
        self._sums[name] = digest.hexdigest()
        return size

    def _write(self, name: str, content: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size = size
        self._tar.addfile(member, content)

    def finish(self, manifest: dict[str, Any]) -> None:
        """Write the manifest, and give the file its name."""
        text = json.dumps(manifest | {"format": FORMAT, "sha256": self._sums}, indent=1).encode()
        self._write(_MANIFEST, io.BytesIO(text), len(text))
        self._tar.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._draft.rename(self._path)

    def discard(self) -> None:
        """Delete what was written, if it is not finished."""
        self._file.close()
        self._draft.unlink(missing_ok=True)


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of an archive whose members are all complete. Raises BackupError."""
    sums, manifest = dict[str, str](), None
    try:
        for name, content in members(path):
            if name == _MANIFEST:
                manifest = json.load(content)
            else:
                sums[name] = hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        raise BackupError(f"{path} cannot be read as a backup: {type(error).__name__}.") from error
    if manifest is None or manifest.get("sha256") != sums:
        raise BackupError(f"{path} is no complete backup: a part of it is missing or was changed.")
    if manifest.get("format") != FORMAT:
        raise BackupError(f"{path} was written by another release: format {manifest.get('format')}.")
    return manifest


def members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (name, content) of each member, in the order in which they were written."""
    with tarfile.open(path, mode="r|gz") as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is not None:
                yield member.name, content


def documents(content: IO[bytes]) -> Iterator[RawBSONDocument]:
    """Yield the documents of a member, as they are stored."""
    yield from bson.decode_file_iter(content, bson.CodecOptions(document_class=RawBSONDocument))
