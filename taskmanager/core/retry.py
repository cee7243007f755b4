"""The one retry policy: exponential backoff, with jitter where many wait for the same thing, and an end.

Each place that tries again has its own numbers and nothing else: events (`core/events/outbox.py`), deliveries
(`features/notifications/delivery/service.py`), webhooks (`features/webhooks/delivery/channel.py`), and the processes of
`workers/`. The schedules are listed in docs/operations.md.

Source: truncated exponential backoff, as in Ethernet (IEEE 802.3, 4.2.3.2.5); the share that varies keeps what has
failed together from coming back together (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

import random
from dataclasses import dataclass
from datetime import timedelta

_MAX_EXPONENT = 60  # no delay grows for longer, and no float overflows
_NO_TIME = timedelta()


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """When to try again after a failure, and when to give up.

    `min_attempts` and `give_up_after` hold together: what was tried so often, and for so long, is given up.
    """

    first_seconds: float
    max_seconds: float
    factor: float = 2.0
    jitter: float = 0.0  # by which share of itself a delay varies, up and down
    min_attempts: int = 1
    give_up_after: timedelta = _NO_TIME

    def seconds(self, attempts: int) -> float:
        """Return how long to wait after this many failed attempts (1 or more): first, first * factor, … at most max."""
        grown = self.first_seconds * self.factor ** min(attempts - 1, _MAX_EXPONENT)
        return min(grown, self.max_seconds) * random.uniform(1 - self.jitter, 1 + self.jitter)  # noqa: S311 no secret

    def delay(self, attempts: int) -> timedelta:
        """Return the same as a time span."""
        return timedelta(seconds=self.seconds(attempts))

    def exhausted(self, attempts: int, tried_for: timedelta = _NO_TIME) -> bool:
        """Return whether to give up after this many attempts, the first of them so long ago."""
        return attempts >= self.min_attempts and tried_for >= self.give_up_after
