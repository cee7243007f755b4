"""Settings of sync and of the process of the live stream."""

from pydantic import Field
from pydantic_settings import BaseSettings


class SyncSettings(BaseSettings, defer_build=True):
    """The part of `Settings` for clients that keep copies."""

    sync_days: int = Field(30, ge=1, le=3660)
    stream_port: int = Field(8001, ge=1, le=65535)
    stream_url: str = ""
    stream_connections: int = Field(2000, ge=1, le=100_000)
