"""Figures that this process keeps, by the stored documents that they are made of.

The documents are read for each request, and change with each write that changes a number. Decoding them and adding them
up takes longer than reading them, and they are mostly what they were: then so are the figures. What is kept depends on
nothing but its key, so it cannot be outdated, whatever has written the documents.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

import bson

from taskmanager.core.storage.orders import Row
from taskmanager.core.telemetry.instruments import count_reads

V = TypeVar("V")

_MAX = 64  # of one kind: 15 kB each; 100 kB for the longest periods and the most people


class Kept(Generic[V]):
    """The last figures of a kind. Callers must not change them."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._found: OrderedDict[Hashable, V] = OrderedDict()

    def of(self, documents: bytes, also: Hashable, compute: Callable[[list[Row]], V]) -> V:
        """Return what `compute` makes of documents in BSON. It depends on nothing else but what is in `also`."""
        key = hashlib.sha256(documents).digest(), also
        found = self._found.get(key)
        count_reads(self._kind, hits=int(found is not None), misses=int(found is None))
        with suppress(KeyError):  # another thread has just forgotten it
            self._found.move_to_end(key)
        if found is None:
            found = self._found[key] = compute(bson.decode_all(documents))
            if len(self._found) > _MAX:
                self._found.popitem(last=False)
        return found
