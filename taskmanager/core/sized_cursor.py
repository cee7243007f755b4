"""A cursor that knows how many bytes it has read, and whose moments have no zone, because both cost less so.

Adding up the sizes of the values of a page takes longer than decoding it, and zones double the time of decoding.
"""

from collections.abc import Sequence
from itertools import accumulate, takewhile
from typing import Any

from bson import encode
from bson.binary import UuidRepresentation
from bson.codec_options import CodecOptions
from pymongo.collection import Collection
from pymongo.command_cursor import CommandCursor
from pymongo.cursor import Cursor

from taskmanager.core.storage.orders import Row

WITHOUT_ZONES: CodecOptions[Row] = CodecOptions(uuid_representation=UuidRepresentation.STANDARD)


class SizedCursor(Cursor[Row]):
    """A cursor as `collection.find` returns it, whose moments are in UTC without a zone."""

    bytes_read = 0

    def __init__(self, collection: Collection[Row], *args: Any, **options: Any) -> None:
        super().__init__(collection, *args, **options)
        self._codec_options = WITHOUT_ZONES

    def _unpack_response(self, response: Any, *args: Any, **options: Any) -> Any:
        """Add the size of a reply of the server. Tests notice when a release of the driver does not call this."""
        self.bytes_read += len(response.payload_document)
        return super()._unpack_response(response, *args, **options)


def rows_within(cursor: SizedCursor | CommandCursor[Row], count: int, size: int) -> tuple[list[Row], bool]:
    """Return at most `count` rows of at most `size` bytes together, but at least one, and whether there are more."""
    with cursor:
        rows: list[Row] = cursor.to_list(count + 1)  # a page is one reply: its rows are here already
    most = count if getattr(cursor, "bytes_read", size + 1) <= size else min(count, _fitting(rows, size))
    return rows[:most], len(rows) > most


def _fitting(rows: Sequence[Row], size: int) -> int:
    """Return how many of the first rows have at most `size` bytes together, but at least one."""
    sizes = accumulate(len(encode(row)) for row in rows)
    return max(1, sum(1 for _ in takewhile(lambda used: used <= size, sizes)))
