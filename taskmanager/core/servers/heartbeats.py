"""Reads the database's clock: each heartbeat of the primary contains its time.

After a failover another machine's clock counts. Each election has an id, and a later election a greater id (MongoDB's
specification of server discovery and monitoring): the time of a primary that was already replaced is ignored.
"""

from collections.abc import Mapping
from datetime import UTC
from typing import Any, NamedTuple

import structlog
from bson import ObjectId
from pymongo.monitoring import (
    ServerHeartbeatFailedEvent,
    ServerHeartbeatListener,
    ServerHeartbeatStartedEvent,
    ServerHeartbeatSucceededEvent,
)

from taskmanager.core import clock

log = structlog.get_logger("taskmanager.database")

_WRONG_CLOCK_SECONDS = 2.0


class Primary(NamedTuple):
    """A primary of a replica set, by the set's members and the id of its election; None for a router (mongos)."""

    members: tuple[str | None, ...]
    election: ObjectId | None

    @classmethod
    def of(cls, hello: Mapping[str, Any]) -> "Primary":
        """Return the primary that sent this reply to `hello`."""
        return cls((hello.get("setName"), *sorted(hello.get("hosts", ()))), hello.get("electionId"))

    def was_replaced_by(self, other: "Primary | None") -> bool:
        """Return whether the other primary was elected later, in the same set."""
        if other is None or other.election is None or self.election is None:
            return False
        return self.members == other.members and other.election > self.election


class ClockListener(ServerHeartbeatListener):
    """Passes the time of the primary to `core.clock`; logs when this process's own clock differs from it."""

    _differed = False
    _primary: Primary | None = None

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Read the clock in the reply of a primary; the driver calls this for each member's reply."""
        hello = event.reply.document
        if event.reply.is_writable and "localTime" in hello:
            self._observe(hello)

    def _observe(self, hello: Mapping[str, Any]) -> None:
        primary, before = Primary.of(hello), self._primary
        if primary.election is not None:
            if primary.was_replaced_by(before):
                return
            self._primary = primary
        another = before is not None and before != self._primary
        clock.observe(hello["localTime"].replace(tzinfo=UTC), of_another=another)
        self._warn()

    def _warn(self) -> None:
        ahead = clock.ahead()
        seconds = ahead.total_seconds() if ahead else 0.0
        differs = abs(seconds) > _WRONG_CLOCK_SECONDS
        if differs and not self._differed:
            log.warning("the clock of this machine is wrong: the database's is used", ahead_s=round(seconds, 1))
        self._differed = differs


CLOCK = ClockListener()
