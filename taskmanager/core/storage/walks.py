"""Walks over whole collections, a batch at a time, by periodic jobs.

A walk ends after some seconds, so that the scheduler's other jobs get their turn. The next round goes on where it
ended, and begins anew once it has seen the end: what must stay is not looked at again before what comes behind it.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

from mongoengine import Document, ListField, StringField

from taskmanager.core.storage.querysets import Row

BATCH = 500
_MAX_SECONDS = 4


class Position(Document):
    """Where a walk goes on; `after` is the key of the row before."""

    meta = {"collection": "walks", "strict": False, "auto_create_index": False}

    name = StringField(primary_key=True)
    after = ListField()


def batches(
    name: str, find: Callable[[list[Any], int], list[Row]], key: Callable[[Row], list[Any]]
) -> Iterator[list[Row]]:
    """Yield rows of `find(after, limit)`, which answers those that follow a key in the order of their keys.

    `after` is [] at the beginning. What is done with a batch must be safe to repeat.
    """
    places, end = Position._get_collection(), time.monotonic() + _MAX_SECONDS
    after = (places.find_one({"_id": name}) or {}).get("after", [])
    while True:
        rows = find(after, BATCH)
        if rows:
            yield rows
        after = key(rows[-1]) if len(rows) == BATCH else []
        places.update_one({"_id": name}, {"$set": {"after": after}}, upsert=True)
        if not after or time.monotonic() > end:
            return
