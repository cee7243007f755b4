"""Backup and restore: all collections as they were at one moment, the files of attachments, keys and secret.

All reads are of one snapshot of the replica set, so the archive has no half of any transaction, while the service runs.
"""

from collections.abc import Callable, Iterator
from datetime import UTC
from pathlib import Path
from typing import IO, Any

import bson
import pymongo
from bson import ObjectId
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from taskmanager import __version__
from taskmanager.core.clock import iso, now
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.events import positions
from taskmanager.core.servers import backups
from taskmanager.core.storage import database
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.attachments.storage import FolderStore
from workers.operations import key_encryption
from workers.operations.archive import ArchiveWriter, BackupError, documents, members, read_manifest

Say = Callable[[str], None]
_LEFT_OUT = ("leases", "locks", "migration_lock", "backups")  # of running processes
_COLLECTIONS, _FILES, _KEYS = "collections/", "files/", "keys.encrypted"
_BATCH, _BATCH_BYTES = 1_000, 8 << 20
_BOOKKEEPING = {"migrations", "leases", "schedules", "walks", "locks", "migration_lock", "backups"}
_SNAPSHOT_TOO_OLD = 239
_POSITIONS_AHEAD = 10**9
MAX_SECONDS = 24 * 3600.0  # the timeout of a client is for requests


def write(path: Path, settings: Settings, *, passphrase: str | None, say: Say) -> dict[str, Any]:
    """Write a backup; without a passphrase keys and secret are left out. Return its manifest. Raises BackupError."""
    encrypted = None if passphrase is None else key_encryption.encrypt(settings, passphrase)
    writer = ArchiveWriter(path)
    try:
        manifest = _write_all(writer, settings, say)
        if encrypted is not None:
            writer.add(_KEYS, [encrypted])
        writer.finish(manifest | {"keys": encrypted is not None})
    except OperationFailure as error:
        writer.discard()
        raise _explained(error) from error
    except BaseException:
        writer.discard()
        raise
    backups.note(path.stat().st_size)
    return manifest


def _write_all(writer: ArchiveWriter, settings: Settings, say: Say) -> dict[str, Any]:
    found = {info["name"]: info for info in database.database().list_collections() if info.get("type") != "view"}
    names = sorted(name for name in found if not name.startswith("system.") and name not in _LEFT_OUT)
    described = {}
    with pymongo.timeout(MAX_SECONDS), database.client().start_session(snapshot=True) as session:
        for name in ["migrations", *(name for name in names if name != "migrations")]:
            described[name] = _write_collection(writer, name, session)
            say(f"{name}: {described[name]['documents']} documents, {described[name]['bytes']} bytes")
        missing = _write_files(writer, settings, session, say)
    return {
        "release": __version__,
        "made_at": iso(now()),
        "collections": described,
        "attachment_store": settings.attachment_store,
        "missing_files": missing,
    }


def _write_collection(writer: ArchiveWriter, name: str, session: ClientSession) -> dict[str, Any]:
    collection = _raw(name)
    indexes = [dict(index) for index in database.database()[name].list_indexes() if index["name"] != "_id_"]
    number = 0

    def parts() -> Iterator[bytes]:
        nonlocal number
        for row in collection.find({}, sort=[("_id", 1)], batch_size=_BATCH, session=session):
            number += 1
            yield row.raw

    size = writer.add(f"{_COLLECTIONS}{name}.bson", parts())
    return {"documents": number, "bytes": size, "indexes": [_spec(index) for index in indexes]}


def _spec(index: dict[str, Any]) -> str:
    """Return an index as canonical extended JSON: its filter may have types that JSON has not."""
    from bson import json_util

    return json_util.dumps({key: value for key, value in index.items() if key not in ("v", "ns")})


def _write_files(writer: ArchiveWriter, settings: Settings, session: ClientSession, say: Say) -> list[str]:
    """Write the files of attachments that are in a folder; those in MongoDB are in its collections."""
    store, missing = _folder_store(settings), list[str]()
    if store is None:
        return []
    rows = Attachment._get_collection().find({}, {"content_id": 1, "size": 1}, session=session)
    number = 0
    for row in rows:
        path = store._path(row["content_id"])
        try:
            writer.add(f"{_FILES}{row['content_id']}", _blocks(path))
            number += 1
        except FileNotFoundError:
            missing.append(str(row["content_id"]))
    say(f"files: {number}, {len(missing)} missing")
    return missing


def _folder_store(settings: Settings) -> FolderStore | None:
    if settings.attachment_store != "folder":
        return None
    return FolderStore(settings.attachment_folder or settings.data_dir / "attachments")


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _parts(file)


def _raw(name: str) -> Collection[Any]:
    options = bson.CodecOptions(document_class=RawBSONDocument)
    return database.database().get_collection(name, codec_options=options)


def _explained(error: OperationFailure) -> BackupError:
    if error.code == _SNAPSHOT_TOO_OLD:
        return BackupError(
            "The backup took longer than the database keeps a snapshot: raise minSnapshotHistoryWindowInSeconds (300),"
            " or use MongoDB's own tools, as docs/backup.md says."
        )
    return BackupError(f"The database refused to be read: {error.code}.")


def restore(path: Path, settings: Settings, *, passphrase: str | None, say: Say) -> dict[str, Any]:
    """Restore a backup into an empty database. Return its manifest. Raises BackupError, before anything is changed."""
    manifest = read_manifest(path)
    filled = {name for name in database.database().list_collection_names() if database.database()[name].find_one()}
    if filled - _BOOKKEEPING:
        raise BackupError(f"The database is not empty ({', '.join(sorted(filled)[:3])} …): restore into an empty one.")
    if manifest["keys"] and passphrase is not None:
        _install_keys(path, settings, passphrase, say)
    elif manifest["keys"]:
        say("The keys and the secret were not restored: give their passphrase, or install them yourself.")
    with pymongo.timeout(MAX_SECONDS):
        _restore_all(path, settings, manifest, say)
    return manifest


def _restore_all(path: Path, settings: Settings, manifest: dict[str, Any], say: Say) -> None:
    for name in database.database().list_collection_names():
        database.database()[name].drop()  # of an installation without any data: it was only migrated
    store = _folder_store(settings)
    for name, content in members(path):
        if name.startswith(_COLLECTIONS):
            _restore_collection(name.removeprefix(_COLLECTIONS).removesuffix(".bson"), content, manifest, say)
        elif name.startswith(_FILES) and store is not None:
            store.write(ObjectId(name.removeprefix(_FILES)), _parts(content))
    _end_copies()


def _end_copies() -> None:
    """Skip many positions of events, so that copies of clients, which may be newer than the backup, begin anew."""
    ahead = {"$add": [{"$ifNull": ["$seq", 0]}, _POSITIONS_AHEAD]}
    found = {"_id": positions.COUNTER}
    database.database()["counters"].update_one(found, [{"$set": {"seq": ahead, "floor": ahead}}])


def _parts(content: IO[bytes]) -> Iterator[bytes]:
    while block := content.read(1 << 20):
        yield block


def _install_keys(path: Path, settings: Settings, passphrase: str, say: Say) -> None:
    encrypted = next(content.read() for name, content in members(path) if name == _KEYS)
    for sentence in key_encryption.install(settings, key_encryption.decrypt(encrypted, passphrase)):
        say(sentence)


def _restore_collection(name: str, content: Any, manifest: dict[str, Any], say: Say) -> None:
    from bson import json_util

    collection = _raw(name)
    batch, size = list[Any](), 0
    for row in documents(content):
        batch.append(row)
        size += len(row.raw)
        if len(batch) == _BATCH or size > _BATCH_BYTES:
            collection.insert_many(batch)
            batch, size = [], 0
    if batch:
        collection.insert_many(batch)
    options = json_util.JSONOptions(tz_aware=True, tzinfo=UTC)
    specs = [json_util.loads(text, json_options=options) for text in manifest["collections"][name]["indexes"]]
    if specs:
        collection.create_indexes([_index(spec) for spec in specs])
    say(f"{name}: {manifest['collections'][name]['documents']} documents")


def _index(spec: dict[str, Any]) -> IndexModel:
    keys = spec.pop("key")
    text = {"_fts", "_ftsx"} & keys.keys()
    pairs = [(field, kind) for field, kind in keys.items() if field not in text]
    if text:
        pairs += [(field, "text") for field in spec.get("weights", {})]
        for name in ("textIndexVersion", "weights"):
            spec.pop(name, None)
    return IndexModel(pairs, **spec)
