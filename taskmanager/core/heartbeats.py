"""Hears the database's clock: each sign of life of the primary says what time it has."""

from datetime import UTC

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


class ClockListener(ServerHeartbeatListener):
    """Passes the time of the primary on to the clock; says when this process's own clock differs from it."""

    _differed = False

    def started(self, event: ServerHeartbeatStartedEvent) -> None:
        """Nothing to do."""

    def failed(self, event: ServerHeartbeatFailedEvent) -> None:
        """Nothing to do."""

    def succeeded(self, event: ServerHeartbeatSucceededEvent) -> None:
        """Called by the driver for each answer of each member."""
        hello = event.reply.document
        if event.reply.is_writable and "localTime" in hello:
            clock.hear(hello["localTime"].replace(tzinfo=UTC))
            self._tell()

    def _tell(self) -> None:
        ahead = clock.ahead()
        seconds = ahead.total_seconds() if ahead else 0.0
        differs = abs(seconds) > _WRONG_CLOCK_SECONDS
        if differs and not self._differed:
            log.warning("the clock of this machine is wrong: the database's is used", ahead_s=round(seconds, 1))
        self._differed = differs


CLOCK = ClockListener()
