"""The retry policy: exponential backoff, with jitter where many wait for the same server, and an end.

Each user of the policy only has its own numbers: events (`core/events/outbox.py`), deliveries
(`features/notifications/delivery/service.py`), webhooks (`features/webhooks/delivery/channel.py`), and the processes of
`workers/`. docs/operations.md lists the schedules.

Source: truncated exponential backoff, as in Ethernet (IEEE 802.3, 4.2.3.2.5). Jitter spreads the retries of what
failed at the same time (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

import random
from dataclasses import dataclass
from datetime import timedelta

_MAX_EXPONENT = 60  # beyond every `max_seconds`, and no float overflows
_NO_TIME = timedelta()


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When to retry after a failure, and when to give up: once both `min_attempts` and `give_up_after` are reached."""

    first_seconds: float
    max_seconds: float
    factor: float = 2.0
    jitter: float = 0.0  # the fraction by which a delay varies, up and down
    min_attempts: int = 1
    give_up_after: timedelta = _NO_TIME

    def seconds(self, attempts: int) -> float:
        """Return the seconds to wait after this many failed attempts (from 1): first, first * factor, … up to max."""
        grown = self.first_seconds * self.factor ** min(attempts - 1, _MAX_EXPONENT)
        return min(grown, self.max_seconds) * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 no secret

    def delay(self, attempts: int) -> timedelta:
        """Return `seconds(attempts)` as a timedelta."""
        return timedelta(seconds=self.seconds(attempts))

    def exhausted(self, attempts: int, tried_for: timedelta = _NO_TIME) -> bool:
        """Return whether to give up after this many attempts, the first of which was `tried_for` ago."""
        return attempts >= self.min_attempts and tried_for >= self.give_up_after
