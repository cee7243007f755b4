"""Settings of the database."""

from pydantic import Field
from pydantic_settings import BaseSettings

_DEFAULT_MONGODB_TIMEOUT_MS = 1900


class DatabaseSettings(BaseSettings):
    """The part of `Settings` for MongoDB."""

    mongodb_uri: str = "mongodb://127.0.0.1:27017/taskmanager?replicaSet=rs0"
    mongodb_timeout_ms: int = Field(_DEFAULT_MONGODB_TIMEOUT_MS, ge=100, le=60_000)
    mongodb_pool_size: int = Field(32, ge=1, le=1000)

    def time_limit(self, seconds: float) -> float:
        """Return the limit of a search or a large transaction: `seconds`, more where an operation may take longer."""
        return seconds * max(1.0, self.mongodb_timeout_ms / _DEFAULT_MONGODB_TIMEOUT_MS)
