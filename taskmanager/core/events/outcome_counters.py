"""What workers have done, counted in the queue store: since it was made or emptied, and by the minute."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from taskmanager.core.clock import now
from taskmanager.core.servers.stores import RedisError, queue_store

_MINUTE_KEPT_SECONDS = 600
_WAIT_SECONDS = 0.5


class OutcomeCounter:
    """Counts of one sort of thing, by its place, such as a queue, and by what came of it."""

    def __init__(self, name: str, *outcomes: str) -> None:
        self._name, self._outcomes = name, outcomes

    def count(self, place: str, outcome: str) -> None:
        """Note one. Where the store is away it is not counted: nothing depends on it."""
        minute = self._minute(now())
        with suppress(RedisError), queue_store(_WAIT_SECONDS).pipeline(transaction=False) as pipeline:
            pipeline.hincrby(self._totals, f"{place}:{outcome}", 1)
            pipeline.hincrby(minute, outcome, 1)
            pipeline.expire(minute, _MINUTE_KEPT_SECONDS)
            pipeline.execute()

    def totals(self) -> dict[tuple[str, str], int]:
        """Return {(place, outcome): how many since the store was made or emptied}. Raises RedisError."""
        found = self._hash(self._totals).items()
        return {tuple(key.decode().split(":", 1)): int(value) for key, value in found}  # type: ignore[misc]

    def last_minute(self) -> dict[str, int]:
        """Return {outcome: how many in the last whole minute}. Raises RedisError."""
        found = self._hash(self._minute(now() - timedelta(minutes=1)))
        return {outcome: int(found.get(outcome.encode(), 0)) for outcome in self._outcomes}

    @property
    def _totals(self) -> str:
        return f"tm:{self._name}:total"

    def _minute(self, moment: datetime) -> str:
        return f"tm:{self._name}:{moment:%Y%m%d%H%M}"

    def _hash(self, key: str) -> dict[bytes, bytes]:
        store: Any = queue_store(_WAIT_SECONDS)  # its types say that each answer may be awaited
        found: dict[bytes, bytes] = store.hgetall(key)
        return found
