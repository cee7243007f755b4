"""The stores of contents of attachments: MongoDB, a folder, or none; a setting chooses one."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol

from bson import Binary, ObjectId
from pymongo.collection import Collection

from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, NotFound, TooLarge, Unavailable
from taskmanager.core.registry import Part
from taskmanager.core.storage.database import database

CHUNK = 255 * 1024  # the default chunk size of GridFS, in bytes


class Stored(NamedTuple):
    """The size (bytes) and the checksum of a stored content."""

    size: int
    sha256: str


class Store(Protocol):
    """A store of contents, each written once."""

    def write(self, content_id: ObjectId, chunks: Iterator[bytes]) -> None:
        """Store the chunks, each of CHUNK bytes; the last may be shorter. Raises Conflict, Unavailable."""

    def read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        """Return the bytes from `start` to before `end`.

        Raises NotFound, Unavailable at the call, not at the first iteration: then the response has begun.
        """

    def delete(self, content_id: ObjectId) -> None:
        """Delete a content; a missing one is no error."""


def missing() -> NotFound:
    """Return the error for a content that is not in the store any more."""
    return NotFound("The content of this file is not in the store any more.", code="attachment.content_missing")


class GridFsStore:
    """A store in MongoDB, with chunks as in the GridFS specification; the names of files are in the attachments."""

    def write(self, content_id: ObjectId, chunks: Iterator[bytes]) -> None:
        for number, chunk in enumerate(chunks):
            self._chunks.insert_one({"files_id": content_id, "n": number, "data": Binary(chunk)})

    def read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        first, stop = start // CHUNK, -(-end // CHUNK)
        chunks = {"files_id": content_id, "n": {"$gte": first, "$lt": stop}}
        if self._chunks.count_documents(chunks) < stop - first:
            raise missing()
        return self._read(content_id, start, end)

    def _read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        # one query for each chunk: a cursor would time out before a slow client has read all
        for number in range(start // CHUNK, -(-end // CHUNK)):
            chunk = self._chunks.find_one({"files_id": content_id, "n": number}, {"data": 1})
            if chunk is None:
                raise NotFound
            yield chunk["data"][max(0, start - number * CHUNK) : end - number * CHUNK]

    def delete(self, content_id: ObjectId) -> None:
        self._chunks.delete_many({"files_id": content_id})

    def ids(self, after: ObjectId | None, limit: int) -> list[ObjectId]:
        """Return the ids of at most `limit` contents after the given one, in order."""
        beyond = {"files_id": {"$gt": after}} if after else {}
        found = self._chunks.find(beyond | {"n": 0}, {"files_id": 1}, sort=[("files_id", 1)]).limit(limit)
        return [row["files_id"] for row in found]

    @property
    def _chunks(self) -> Collection[dict[str, Any]]:
        return database()["attachments.chunks"]


class FolderStore:
    """A store in a folder that all instances share; files are distributed over subfolders by the ends of their ids."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, content_id: ObjectId, chunks: Iterator[bytes]) -> None:
        path = self._path(content_id)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable("Files cannot be stored now.", code="attachment.store_away") from error

    def read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        try:
            with self._path(content_id).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
        except OSError as error:
            if isinstance(error, FileNotFoundError) and self.folder.is_dir():
                raise missing() from None
            raise Unavailable("Files cannot be read now.", code="attachment.store_away") from error
        if size < end:
            raise missing()
        return self._read(content_id, start, end)

    def _read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        with self._path(content_id).open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(CHUNK, end - start))):
                start += len(chunk)
                yield chunk

    def delete(self, content_id: ObjectId) -> None:
        self._path(content_id).unlink(missing_ok=True)

    def _path(self, content_id: ObjectId) -> Path:
        return self.folder / str(content_id)[-2:] / str(content_id)


class NullStore:
    """A store that accepts no contents."""

    def write(self, content_id: ObjectId, chunks: Iterator[bytes]) -> None:
        raise Conflict("This service accepts no attachments.", code="attachment.none_taken")

    def read(self, content_id: ObjectId, start: int, end: int) -> Iterator[bytes]:
        raise NotFound

    def delete(self, content_id: ObjectId) -> None:
        pass


def _folder() -> Store:
    current = settings.current()
    return FolderStore(current.attachment_folder or current.data_dir / "attachments")


OWN_STORAGES: dict[str, Callable[[], Store]] = {"gridfs": GridFsStore, "folder": _folder, "null": NullStore}
STORAGES: Part[Callable[[], Store]] = Part("storages")


def current_store() -> Store:
    """Return the store that the settings name."""
    return STORAGES[settings.current().attachment_store]()


def store(content_id: ObjectId, file: IO[bytes]) -> Stored:
    """Store the content of an open file, chunk by chunk. Raises TooLarge, Conflict, Unavailable."""
    digest, size, max_bytes = hashlib.sha256(), 0, settings.current().attachment_max_bytes

    def chunks() -> Iterator[bytes]:
        nonlocal size
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise TooLarge(f"A file has at most {max_bytes:,} bytes.", code="attachment.too_large")
            digest.update(chunk)
            yield chunk

    current_store().write(content_id, chunks())
    return Stored(size, digest.hexdigest())
