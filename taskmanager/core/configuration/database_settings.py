"""Settings of the database."""

from functools import lru_cache
from typing import Literal, get_args

from pydantic import Field
from pydantic_settings import BaseSettings

_DEFAULT_MONGODB_TIMEOUT_MS = 1900

# The kinds of reads that secondaries may answer. Everything else, rights above all, is read from the primary.
ReplicaRead = Literal["lists", "search", "statistics"]
REPLICA_READS: tuple[str, ...] = get_args(ReplicaRead)


class DatabaseSettings(BaseSettings, defer_build=True):
    """The part of `Settings` for MongoDB."""

    mongodb_uri: str = "mongodb://127.0.0.1:27017/taskmanager?replicaSet=rs0"
    mongodb_timeout_ms: int = Field(_DEFAULT_MONGODB_TIMEOUT_MS, ge=100, le=60_000)
    mongodb_pool_size: int = Field(32, ge=1, le=1000)
    replica_reads: str = ""
    replica_staleness_seconds: int = Field(90, ge=90, le=3600)  # MongoDB accepts no smaller bound

    def time_limit(self, seconds: float) -> float:
        """Return the limit of a search or a large transaction: `seconds`, more where an operation may take longer."""
        return seconds * max(1.0, self.mongodb_timeout_ms / _DEFAULT_MONGODB_TIMEOUT_MS)

    def reads_replicas(self, kind: str | None) -> bool:
        """Return whether secondaries may answer reads of this kind."""
        return kind in parse_replica_reads(self.replica_reads)


@lru_cache(maxsize=8)
def parse_replica_reads(text: str) -> frozenset[str]:
    """Return the kinds of reads in a setting such as `lists,search`; empty for none. Raises ValueError."""
    words = [word.strip() for word in text.split(",")] if text else []
    if not all(word in REPLICA_READS for word in words):
        raise ValueError(f"must be some of {', '.join(REPLICA_READS)}, separated by commas")
    return frozenset(words)
