"""One order of all events: each committed event gets the next position, a number without gaps.

Streams are ordered by their own numbers, but two streams are not: their transactions commit in any order. So positions
are given after the commit, by sequencers: one transaction finds committed events without a position, raises one counter
by their number, and stores their positions. Two sequencers at the same time write the same counter, so MongoDB aborts
one of them. Positions become visible with the counter, in order and without gaps: whoever has read the counter at N
finds all events up to N, and no smaller position appears later.

The order within a stream is kept: the events are found in one snapshot, which has all earlier events of a stream, and
in an index by stream and number, so that a batch never has a later event of a stream without the earlier ones. Times
decide only between streams: a wrong clock may set them, and a corrected one lets them run backwards.

See docs/adr/0013-positions-of-events.md.
"""

import threading
import time
from datetime import datetime
from typing import Any

from bson import ObjectId
from pymongo import ReturnDocument, UpdateOne
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError

from taskmanager.core.clock import now
from taskmanager.core.errors import Unavailable
from taskmanager.core.storage.database import database
from taskmanager.core.storage.orders import ABSENT, Row
from taskmanager.core.storage.unit_of_work import unit_of_work

COUNTER = "positions"  # its document in `counters`: {seq: the last position, floor: the last one that was deleted}
INDEX = "order"
MAX_BATCH = 200  # events of one transaction: it is short, because workers change the same events meanwhile
MAX_COUNTED = 10_000
_CATCH_UP_SECONDS = 0.5
_WITHOUT: Row = {"position": ABSENT}

_placing = threading.Lock()


@unit_of_work
def place_next() -> int:
    """Give the next events their positions; return how many. Safe to call in several processes. Raises PyMongoError."""
    return place_in(database(), MAX_BATCH)


def place_in(stored: Database[dict[str, Any]], limit: int, session: ClientSession | None = None) -> int:
    """Give at most `limit` events their positions, in the open transaction; return how many."""
    found = stored["events"].find(_WITHOUT, {"stream": 1, "at": 1}, session=session)
    ids = _by_time(list(found.sort([("stream", 1), ("seq", 1)]).hint(INDEX).limit(limit)))
    if not ids:
        return 0
    raised = {"$inc": {"seq": len(ids)}, "$set": {"at": now()}}
    counter: Any = stored["counters"].find_one_and_update(
        {"_id": COUNTER}, raised, upsert=True, return_document=ReturnDocument.AFTER, session=session
    )
    first = counter["seq"] - len(ids) + 1
    updates = [
        UpdateOne({"_id": event_id, **_WITHOUT}, {"$set": {"position": first + number}})
        for number, event_id in enumerate(ids)
    ]
    if stored["events"].bulk_write(updates, ordered=False, session=session).modified_count < len(ids):
        raise Unavailable("An event was changed meanwhile.")  # a snapshot excludes it; no gap is ever committed
    return len(ids)


def _by_time(rows: list[Row]) -> list[ObjectId]:
    """Return the ids of events, which are in the order of their streams, by time; the order of each stream is kept."""
    latest: dict[str, datetime] = {}
    for row in rows:
        row["at"] = latest[row["stream"]] = max(row["at"], latest.get(row["stream"], row["at"]))
    return [row["_id"] for row in sorted(rows, key=lambda row: row["at"])]


def place_all() -> int:
    """Give all events that are committed now their positions; return how many. Raises PyMongoError."""
    placed = 0
    while more := place_next():
        placed += more
    return placed


def catch_up() -> None:
    """Place the waiting events now, so that a reader sees what was committed before; not while another thread does it.

    What does not fit into _CATCH_UP_SECONDS is left to the relay, and so is all after a failure, which is ignored.
    """
    if not are_waiting() or not _placing.acquire(timeout=1):
        return
    end = time.monotonic() + _CATCH_UP_SECONDS
    try:
        while place_next() == MAX_BATCH and time.monotonic() < end:
            pass
    except PyMongoError:
        pass
    finally:
        _placing.release()


def head() -> int:
    """Return the last position: all events up to it are visible to whoever reads them now."""
    return _counter().get("seq", 0)


def bounds() -> tuple[int, int]:
    """Return the last position, and the last one that retention has deleted: positions behind it are complete."""
    row = _counter()
    return row.get("seq", 0), row.get("floor", 0)


def raise_floor(position: int) -> None:
    """Note that retention is about to delete events up to a position; 0 stands for none that have one."""
    if position:
        database()["counters"].update_one({"_id": COUNTER}, {"$max": {"floor": position}})


def are_waiting() -> bool:
    """Return whether there are events without a position."""
    return database()["events"].find_one(_WITHOUT, {"_id": 1}, hint=INDEX) is not None


def lag_seconds() -> float:
    """Return for how long the oldest event without a position has waited, of the first MAX_COUNTED."""
    stages: list[Row] = [
        {"$match": _WITHOUT},
        {"$limit": MAX_COUNTED},
        {"$group": {"_id": None, "at": {"$min": "$at"}}},
    ]
    found = list(database()["events"].aggregate(stages, hint=INDEX))
    return max(0.0, (now() - found[0]["at"]).total_seconds()) if found else 0.0


def _counter() -> Row:
    return database()["counters"].find_one({"_id": COUNTER}, {"seq": 1, "floor": 1}) or {}
