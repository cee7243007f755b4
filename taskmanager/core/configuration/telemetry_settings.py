"""Settings of what operators see of the service: logs, metrics, traces, reports of errors."""

import re
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_HEADER = re.compile(r"([A-Za-z0-9!#$%&'*+.^_`|~-]+)=([!-+\--~][ -+\--~]*)")  # RFC 9110, 5.1; no comma in the value


class TelemetrySettings(BaseSettings, defer_build=True):
    """The part of `Settings` for operators."""

    metrics_token: SecretStr = SecretStr("")
    probe_port: int = Field(0, ge=0, le=65535)

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_levels: str = ""
    log_format: Literal["ecs", "json", "console"] = "ecs"
    log_probes: bool = False
    log_file: Path | None = None
    log_file_bytes: int = Field(50_000_000, ge=10_000, le=10_000_000_000)
    log_files: int = Field(20, ge=1, le=10_000)
    log_file_days: int = Field(14, ge=1, le=3660)
    slow_request_ms: int = Field(1000, ge=1, le=600_000)
    slow_query_ms: int = Field(500, ge=1, le=600_000)

    traces_url: str = ""
    traces_headers: SecretStr = SecretStr("")
    traces_sample: float = Field(0.1, ge=0, le=1)
    traces_follow_callers: bool = False
    sentry_dsn: SecretStr = SecretStr("")


def parse_levels(text: str) -> dict[str, str]:
    """Return {logger: level} of a text such as `rq.worker=DEBUG,taskmanager.requests=WARNING`. Raises ValueError."""
    found = {}
    for part in filter(None, text.replace(" ", "").split(",")):
        name, _, level = part.partition("=")
        if not name or level not in LEVELS:
            raise ValueError(f"must be a list of logger=LEVEL, with one of {', '.join(LEVELS)}")
        found[name] = level
    return found


def parse_headers(text: str) -> dict[str, str]:
    """Return {header: value} of a text such as `Authorization=ApiKey abc,X-Scope=a`. Raises ValueError."""
    matches = [_HEADER.fullmatch(part.strip()) for part in text.split(",") if part.strip()]
    if not all(matches):
        raise ValueError("must be a list of Header=value, separated by commas")
    return {match[1]: match[2] for match in matches if match}
