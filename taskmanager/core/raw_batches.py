"""Rows from the raw batches of BSON (bsonspec.org) that a server sends.

A batch is decoded at once, and its length is the size of its rows: iterating over a cursor, and adding up the sizes of
the values, take longer than decoding. Moments are decoded without a zone, which doubles the time; they are UTC.
"""

from collections.abc import Iterable
from typing import Any, cast

from bson import decode_all
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.cursor import RawBatchCursor

Row = dict[str, Any]
_WITHOUT_ZONES: CodecOptions[Row] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


def rows_within(batches: RawBatchCursor[Row], count: int, size: int) -> tuple[list[Row], bool]:
    """Return at most `count` rows of at most `size` bytes together, but at least one, and whether there are more."""
    rows: list[Row] = []
    with batches:
        for batch in cast(Iterable[bytes], batches):
            part = batch if len(batch) <= size else batch[: _end_within(batch, size) or (0 if rows else _length(batch))]
            rows += decode_all(part, _WITHOUT_ZONES)
            size -= len(part)
            if len(part) < len(batch) or len(rows) > count:
                return rows[:count], True
    return rows, False


def _end_within(batch: bytes, size: int) -> int:
    """Return where the last document ends that is wholly within the first `size` bytes of a batch; 0 for none."""
    end = 0
    while (following := end + _length(batch, end)) <= size:
        end = following
    return end


def _length(batch: bytes, start: int = 0) -> int:
    """Return the length of the document that begins there: the first number in it."""
    return int.from_bytes(batch[start : start + 4], "little")
