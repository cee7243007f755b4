"""Rows of pages as MongoDB sends them: as bytes, which are decoded when something reads them.

Decoding and dumping its rows is most of what a page costs. A list needs neither for a row that it has shown before
(`web/encoded_rows.py`), because the same bytes are the same item. Moments have no zone, which doubles the time of
decoding.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, takewhile
from typing import Any, overload

from bson import decode, decode_all, encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from taskmanager.core.storage.orders import Row

WITHOUT_ZONES: CodecOptions[Row] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)

_SIZE = struct.Struct("<i")
_CURSOR, _ARRAY, _BATCHES = b"\x03cursor\x00", 0x04, ("firstBatch", "nextBatch")
_EMPTY_ARRAY = b"\x05\x00\x00\x00\x00"


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


class StoredCursor(Cursor[Any]):
    """A cursor as `collection.find` returns it, whose documents are bytes of BSON."""

    def __init__(self, collection: Collection[Row], *args: Any, **options: Any) -> None:
        super().__init__(collection, *args, **options)
        self._codec_options = WITHOUT_ZONES

    def _unpack_response(self, response: Any, *args: Any, **options: Any) -> Any:
        """Take the rows out of a reply of the server, and let the driver read the rest of it.

        Tests notice when a release of the driver does not call this.
        """
        found = _parts(bytes(response.payload_document))
        if found is None:
            replies = super()._unpack_response(response, *args, **options)
            for batches in (reply["cursor"] for reply in replies if "cursor" in reply):
                batches |= {name: list(map(_encoded, rows)) for name, rows in batches.items() if name in _BATCHES}
            return replies
        name, rows, response.payload_document = found
        replies = super()._unpack_response(response, *args, **options)
        replies[0]["cursor"][name] = rows
        return replies


def _encoded(row: Row) -> bytes:
    return encode(row, codec_options=WITHOUT_ZONES)


def _parts(reply: bytes) -> tuple[str, list[bytes], bytes] | None:
    """Return the name of the rows in a reply, the rows, and the reply without them; None for another reply.

    `{cursor: {firstBatch: [row, ...], ...}, ...}` in BSON (bsonspec.org): a size of 4 bytes, elements, a zero. An
    element is a byte for its type, its name, a zero, and the value.
    """
    if reply[4:12] != _CURSOR or reply[16] != _ARRAY:
        return None
    begin = reply.index(0, 17) + 1
    name = reply[17 : begin - 1].decode()
    if name not in _BATCHES:
        return None
    (size,), (cursor_size,) = _SIZE.unpack_from(reply, begin), _SIZE.unpack_from(reply, 12)
    rows, at, end = [], begin + 4, begin + size - 1
    while at < end:
        at = reply.index(0, at + 1) + 1
        (length,) = _SIZE.unpack_from(reply, at)
        rows.append(reply[at : at + length])
        at += length
    less = size - len(_EMPTY_ARRAY)
    head = _SIZE.pack(len(reply) - less) + _CURSOR + _SIZE.pack(cursor_size - less) + reply[16:begin]
    return name, rows, head + _EMPTY_ARRAY + reply[begin + size :]


def stored_within(cursor: StoredCursor, count: int, size: int) -> tuple[StoredRows, bool]:
    """Return at most `count` rows of at most `size` bytes together, but at least one, and whether there are more."""
    with cursor:
        rows = cursor.to_list(count + 1)
    most = min(count, fitting(map(len, rows), size))
    return StoredRows(rows[:most]), len(rows) > most


def rows_within(cursor: CommandCursor[Row], count: int, size: int) -> tuple[list[Row], bool]:
    """Return the same of an aggregation, decoded."""
    with cursor:
        rows: list[Row] = cursor.to_list(count + 1)
    most = min(count, fitting((len(encode(row)) for row in rows), size))
    return rows[:most], len(rows) > most


def fitting(sizes: Iterable[int], most: int) -> int:
    """Return how many of the first rows have at most `most` bytes together, but at least one."""
    return max(1, sum(1 for _ in takewhile(lambda used: used <= most, accumulate(sizes))))
