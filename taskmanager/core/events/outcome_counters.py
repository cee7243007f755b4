"""Outcome counters: what workers have done, in the queue store, since it was created or emptied, and by the minute."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from taskmanager.core.clock import now
from taskmanager.core.servers.stores import RedisError, queue_store

_MINUTE_KEPT_SECONDS = 4_200
_WAIT_SECONDS = 0.5


class OutcomeCounter:
    """Counts of one kind of work by place, such as a queue, and by outcome."""

    def __init__(self, name: str, *outcomes: str) -> None:
        self._name, self._outcomes = name, outcomes

    def count(self, place: str, outcome: str) -> None:
        """Count one. While the store is away nothing is counted: no behaviour depends on it."""
        minute = self._minute(now())
        with suppress(RedisError), queue_store(_WAIT_SECONDS).pipeline(transaction=False) as pipeline:
            pipeline.hincrby(self._totals, f"{place}:{outcome}", 1)
            pipeline.hincrby(minute, outcome, 1)
            pipeline.expire(minute, _MINUTE_KEPT_SECONDS)
            pipeline.execute()

    def totals(self) -> dict[tuple[str, str], int]:
        """Return {(place, outcome): count since the store was created or emptied}. Raises RedisError."""
        found = self._hash(self._totals).items()
        return {tuple(key.decode().split(":", 1)): int(value) for key, value in found}  # type: ignore[misc]

    def last_minute(self) -> dict[str, int]:
        """Return {outcome: count of the last whole minute}. Raises RedisError."""
        found = self._hash(self._minute(now() - timedelta(minutes=1)))
        return {outcome: int(found.get(outcome.encode(), 0)) for outcome in self._outcomes}

    def minutes(self, moments: Iterable[datetime]) -> list[dict[str, int]]:
        """Return {outcome: count} of the minute of each moment, of the last hour. Raises RedisError."""
        pipeline: Any = queue_store(_WAIT_SECONDS).pipeline(transaction=False)
        for moment in moments:
            pipeline.hgetall(self._minute(moment))
        return [{name.decode(): int(number) for name, number in row.items()} for row in pipeline.execute()]

    @property
    def _totals(self) -> str:
        return f"tm:{self._name}:total"

    def _minute(self, moment: datetime) -> str:
        return f"tm:{self._name}:{moment:%Y%m%d%H%M}"

    def _hash(self, key: str) -> dict[bytes, bytes]:
        store: Any = queue_store(_WAIT_SECONDS)  # its types say that each reply may be awaitable
        found: dict[bytes, bytes] = store.hgetall(key)
        return found
