"""The JSON of rows in lists, kept by the bytes in which they are stored.

Dumping a row depends on its bytes and on nothing else, so what is kept cannot be outdated: a row that was changed has
other bytes. It is shared by all callers and lists of a process.
"""

from collections.abc import Callable, Sequence
from operator import or_
from typing import Any

import orjson

from taskmanager.core.storage.orders import Row
from taskmanager.core.stored_rows import StoredRows
from taskmanager.core.telemetry.instruments import count_reads

Dump = Callable[[Row], Row]

_HALF_BYTES = 2_500_000  # of rows and their JSON; then the half that was not used for longer is forgotten
_ROW_BYTES, _DUMP_BYTES = 160, 3_000  # of a row in memory, beside its bytes and its JSON; of a function


class EncodedRows:
    """What is kept by this process: a half that is filled, and the half before it."""

    def __init__(self) -> None:
        self._new: dict[Dump, dict[bytes, bytes]] = {}
        self._old: dict[Dump, dict[bytes, bytes]] = {}
        self._size = 0

    def items(self, dump: Dump, rows: Sequence[Row], embedded: Sequence[Row] | None = None) -> list[bytes]:
        """Return the JSON of each row; `embedded` has further members for each."""
        if embedded is not None:
            return list(map(orjson.dumps, map(or_, map(dump, rows), embedded)))
        if not isinstance(rows, StoredRows) or rows.is_read:
            return list(map(orjson.dumps, map(dump, rows)))
        if not rows:
            return []
        known = self._new.setdefault(dump, {})
        found: list[Any] = list(map(known.get, rows.stored))
        missing = [number for number, item in enumerate(found) if item is None]
        count_reads("list items", hits=len(found) - len(missing), misses=len(missing))
        if missing:
            self._add(dump, known, rows, missing, found)
        return found

    def _add(
        self, dump: Dump, known: dict[bytes, bytes], rows: StoredRows, missing: list[int], found: list[Any]
    ) -> None:
        """Put the missing items into `found`, and keep them."""
        self._size += 0 if known else _DUMP_BYTES
        old = self._old.get(dump, {})
        stored = [rows.stored[number] for number in missing]
        kept = list(map(old.get, stored))
        fresh = StoredRows([row for row, item in zip(stored, kept, strict=True) if item is None])
        made = (memoryview(orjson.dumps(item)).tobytes() for item in map(dump, fresh))  # what orjson makes has 16 kB
        for number, row, item in zip(missing, stored, kept, strict=True):
            known[row] = found[number] = item = item or next(made)
            self._size += len(row) + len(item) + _ROW_BYTES
        if self._size > _HALF_BYTES:
            self._old, self._new, self._size = self._new, {}, 0


encoded_rows = EncodedRows()
