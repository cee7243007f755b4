"""Walks over whole collections, a batch at a time, by periodic jobs.

A walk ends after some seconds, so that the scheduler's other jobs run. The next run continues where it ended, and
starts again at the beginning after the last row: rows that stay are not read again before the rows behind them.
"""

import time
from collections.abc import Callable, Iterator

from mongoengine import Document, ListField, StringField

from taskmanager.core.storage.orders import Key, Row

BATCH = 500
_MAX_SECONDS = 4


class Position(Document):
    """Where a walk continues; `after` is the key of the last row that it has read."""

    meta = {"collection": "walks", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    after = ListField()


def batches(name: str, find: Callable[[Key, int], list[Row]], key: Callable[[Row], Key]) -> Iterator[list[Row]]:
    """Yield the rows of `find(after, limit)`, which returns rows that follow a key, in the order of their keys.

    `after` is [] at the beginning. The work on a batch must be safe to repeat.
    """
    positions, end = Position._get_collection(), time.monotonic() + _MAX_SECONDS
    after = (positions.find_one({"_id": name}) or {}).get("after", [])
    while True:
        rows = find(after, BATCH)
        if rows:
            yield rows
        after = key(rows[-1]) if len(rows) == BATCH else []
        positions.update_one({"_id": name}, {"$set": {"after": after}}, upsert=True)
        if not after or time.monotonic() > end:
            return
