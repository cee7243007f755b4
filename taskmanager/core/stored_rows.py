"""Rows of pages as MongoDB sends them: as bytes, which are decoded when something reads them.

Decoding and dumping its rows is most of what a page costs. A list needs neither for a row that it has shown before
(`web/encoded_rows.py`), because the same bytes are the same item. Moments have no zone, which doubles the time of
decoding.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, takewhile
from typing import Any, cast, overload

from bson import decode, decode_all, encode
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor

from taskmanager.core.servers.driver import DirectClient
from taskmanager.core.servers.exchanges import WITHOUT_ZONES
from taskmanager.core.storage.orders import Filter, Row

_SIZE = struct.Struct("<i")
_CURSOR, _FIRST_BATCH = b"\x03cursor\x00", b"\x04firstBatch\x00"


class StoredRows(Sequence[Row]):
    """Rows of which `stored` has the BSON; decoded when they are read, and then kept decoded."""

    def __init__(self, stored: list[bytes]) -> None:
        self.stored = stored
        self._rows: list[Row] | None = None

    @property
    def is_read(self) -> bool:
        """Return whether they were decoded: then a reader may have changed them."""
        return self._rows is not None

    def __len__(self) -> int:
        return len(self.stored)

    def __iter__(self) -> Iterator[Row]:
        if self._rows is None:
            self._rows = decode_all(b"".join(self.stored), WITHOUT_ZONES)
        return iter(self._rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice) -> Row | Sequence[Row]:
        if self._rows is not None:
            return self._rows[index]
        return StoredRows(self.stored[index]) if isinstance(index, slice) else decode(self.stored[index], WITHOUT_ZONES)


def find(
    collection: Collection[Any],
    query: Filter,
    shown: Row | None = None,
    *,
    limit: int,
    sort: Iterable[tuple[str, int]] = (),
    collation: Mapping[str, Any] | None = None,
    index: str | None = None,
) -> list[bytes]:
    """Return the BSON of the first `limit` documents, or of fewer when these have more than some 16 MB together.

    `shown` is a projection. In the bound transaction or session, if there is one. Raises PyMongoError.
    """
    command: dict[str, Any] = {"find": collection.name, "filter": query}
    command |= {"limit": limit, "batchSize": limit, "singleBatch": True}
    options = {"projection": shown, "sort": dict(sort), "collation": collation, "hint": index}
    command |= {name: value for name, value in options.items() if value}
    client = cast(DirectClient, collection.database.client)
    return _first_batch(client.read(collection, command))


def _first_batch(reply: bytes) -> list[bytes]:
    """Return the documents of the first batch in a reply: `{cursor: {firstBatch: [document, ...], ...}, ...}`.

    In BSON (bsonspec.org) that is a size of 4 bytes, elements, and a zero; an element is a byte for its type, its name,
    a zero, and the value. A server that sends the elements in another order gets the same answer, later.
    """
    if reply[4:12] != _CURSOR or reply[16:28] != _FIRST_BATCH:
        return [
            encode(row, codec_options=WITHOUT_ZONES) for row in decode(reply, WITHOUT_ZONES)["cursor"]["firstBatch"]
        ]
    (size,) = _SIZE.unpack_from(reply, 28)
    found, at, end = [], 32, 28 + size - 1
    while at < end:
        at = reply.index(0, at + 1) + 1
        (length,) = _SIZE.unpack_from(reply, at)
        found.append(reply[at : at + length])
        at += length
    return found


def stored_within(found: list[bytes], count: int, size: int) -> tuple[StoredRows, bool]:
    """Return at most `count` rows of at most `size` bytes together, but at least one, and whether there are more."""
    most = min(count, fitting(map(len, found), size))
    return StoredRows(found[:most]), len(found) > most


def rows_within(cursor: CommandCursor[Row], count: int, size: int) -> tuple[list[Row], bool]:
    """Return the same of an aggregation, decoded."""
    with cursor:
        rows: list[Row] = cursor.to_list(count + 1)
    most = min(count, fitting((len(encode(row)) for row in rows), size))
    return rows[:most], len(rows) > most


def fitting(sizes: Iterable[int], most: int) -> int:
    """Return how many of the first rows have at most `most` bytes together, but at least one."""
    return max(1, sum(1 for _ in takewhile(lambda used: used <= most, accumulate(sizes))))
