"""Hears the database's clock: each sign of life of the primary says what time it has.

After a failover the clock is another machine's. Each election has an id, and a later one a greater id (the driver's
specification of server discovery and monitoring): a primary that was replaced and does not know it yet is not heard.
"""

from datetime import UTC
from typing import Any, NamedTuple

import structlog
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
    """Which primary of which set; a router of a sharded cluster has no election."""

    members: tuple[Any, ...]
    election: Any

    @classmethod
    def of(cls, hello: dict[str, Any]) -> "Primary":
        """Return the one that says `hello`."""
        return cls((hello.get("setName"), *sorted(hello.get("hosts", ()))), hello.get("electionId"))

    def was_replaced_by(self, other: "Primary | None") -> bool:
        """Return whether the other one was elected later, in the same set."""
        return other is not None and self.members == other.members and bool(other.election > self.election)


class ClockListener(ServerHeartbeatListener):
    """Passes the time of the primary on to the clock; says when this process's own clock differs from it."""

    _differed = False
    _heard: Primary | None = None

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Do nothing."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Do nothing."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Read the clock in each member's answer; called by the driver."""
        hello = event.reply.document
        if event.reply.is_writable and "localTime" in hello:
            self._hear(hello)

    def _hear(self, hello: dict[str, Any]) -> None:
        primary, before = Primary.of(hello), self._heard
        if primary.election is not None:
            if primary.was_replaced_by(before):
                return
            self._heard = primary
        another = before is not None and before != self._heard
        clock.observe(hello["localTime"].replace(tzinfo=UTC), of_another=another)
        self._tell()

    def _tell(self) -> None:
        ahead = clock.ahead()
        seconds = ahead.total_seconds() if ahead else 0.0
        differs = abs(seconds) > _WRONG_CLOCK_SECONDS
        if differs and not self._differed:
            log.warning("the clock of this machine is wrong: the database's is used", ahead_s=round(seconds, 1))
        self._differed = differs


CLOCK = ClockListener()
