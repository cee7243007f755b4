"""The latest events of the log in the memory of a process: its streams share one read of each event."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bson import ObjectId
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.core.storage.database import causally_consistent
from taskmanager.core.storage.orders import Row
from taskmanager.features.sync.shared import SharedObjects

ANY_TOPIC = "any"  # whatever happened
MAX_EVENTS = 5_000  # of a window, and of one step: after more, each stream reads the log
_IDS = ("comment_id", "user_id", "project_id", "task_id", "notification_ids")
FIELDS = dict.fromkeys(
    (
        *("kind", "stream", "subject_id", "actor_id", "position", "correlation.mutation_id"),
        *(f"data.{name}" for name in _IDS),
    ),
    1,
)


@dataclass(frozen=True)
class EventWindow:
    """All events with positions behind `start` up to `head`, and the time at which the database had them."""

    start: int
    head: int
    rows: Sequence[Row] = ()
    operation_time: Timestamp | None = None
    cluster_time: Any = None
    objects: SharedObjects = field(default_factory=SharedObjects)  # a later window has others

    def covers(self, position: int) -> bool:
        """Return whether it has all events behind a position, up to its head."""
        return self.start <= position <= self.head

    def behind(self, position: int) -> Sequence[Row]:
        """Return the events behind a position that it covers, in order."""
        return self.rows[bisect_right(self.rows, position, key=lambda row: row["position"]) :]

    def topics_behind(self, position: int) -> set[str] | None:
        """Return the streams and accounts that events behind a position concern; None when it does not have them."""
        if not self.covers(position):
            return None
        rows = self.behind(position)
        return (
            {ANY_TOPIC}
            | {row["stream"] for row in rows}
            | {f"user:{one}" for row in rows for one in row.get("accounts", ())}
        )

    def precede(self, session: ClientSession) -> None:
        """Let no read of the session return an older state than the events."""
        if self.operation_time:
            session.advance_cluster_time(self.cluster_time)
            session.advance_operation_time(self.operation_time)


def advanced(window: EventWindow | None) -> EventWindow:
    """Return the window up to the present head of the log, by one read of the events behind it. Raises PyMongoError."""
    with causally_consistent() as session:
        head = positions.head()
        if window is None or head < window.head:
            return EventWindow(head, head)
        if head == window.head:
            return window
        rows = [*window.rows, *_read(window.head, head)]
        times = session.operation_time, session.cluster_time
    if len(rows) - len(window.rows) > MAX_EVENTS:
        return EventWindow(head, head)
    kept = rows[-MAX_EVENTS:]
    start = window.start if len(kept) == len(rows) else kept[0]["position"] - 1
    return EventWindow(start, head, kept, *times)


def _read(after: int, head: int) -> list[Row]:
    query = {"position": {"$gt": after, "$lte": head}}
    found = Event._get_collection().find(query, FIELDS | {"accounts": 1}).sort("position", 1)
    return list(found.hint(positions.INDEX).limit(MAX_EVENTS + 1))


def concerning(
    window: EventWindow, after: int, limit: int, streams: set[str], account_id: ObjectId | None, only: str
) -> list[Row]:
    """Return the first events behind a position of these streams, or that name the account, as `changes` reads them.

    `only` limits those that name the account to one stream.
    """
    found: list[Row] = []
    for row in window.behind(after):
        names = account_id in row.get("accounts", ()) and (not only or row["stream"] == only)
        if names or row["stream"] in streams:
            found.append({"data": {}} | row | {"names_account": names})
            if len(found) == limit:
                break
    return found
