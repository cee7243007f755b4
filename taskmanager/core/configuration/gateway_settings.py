"""The settings of the gateway: `taskmanager gateway render` reads them, and the processes of the service do not."""

import re
from ipaddress import ip_network
from pathlib import Path

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

# What NGINX reads as the address of a server, without any character that could end a directive.
_ADDRESS = re.compile(r"unix:/[\w./-]+|(?:[\w.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}")
_RESOLVER = re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_PATH = re.compile(r"/[\w./-]+")


_RESOLVES = (1, 27, 3)  # the first version of NGINX that asks again for the address of a server


def words(text: str) -> list[str]:
    """Return the parts of a list that is separated by commas."""
    return [word.strip() for word in text.split(",") if word.strip()]


class GatewaySettings(BaseSettings, defer_build=True):
    """The settings of the gateway. `config/env.example` has a sentence for each variable."""

    model_config = SettingsConfigDict(
        env_prefix="TASKMANAGER_GATEWAY_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )

    listen: str = "127.0.0.1:8080"
    redirect_listen: str = ""
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    servers: str = "127.0.0.1:8000"
    user_servers: str = ""
    task_servers: str = ""
    notification_servers: str = ""
    stream_servers: str = ""
    resolver: str = ""
    trusted_proxies: str = ""
    requests_per_second: int = Field(50, ge=1, le=100_000)
    burst: int = Field(200, ge=1, le=100_000)
    connections: int = Field(100, ge=1, le=100_000)
    read_timeout_seconds: int = Field(60, ge=1, le=3600)
    folder: Path = Path("/var/lib/taskmanager-gateway")
    access_log: Path = Path("/dev/stdout")
    brotli_modules: Path | None = None
    nginx_version: str = Field("1.22.1", pattern=r"^\d{1,3}\.\d{1,3}\.\d{1,3}$")

    @field_validator(
        "listen",
        "redirect_listen",
        "servers",
        "user_servers",
        "task_servers",
        "notification_servers",
        "stream_servers",
    )
    @classmethod
    def _addresses(cls, value: str) -> str:
        if not all(_ADDRESS.fullmatch(word) for word in words(value)):
            raise ValueError("must be addresses such as 127.0.0.1:8000 or unix:/run/web.sock, separated by commas")
        return value

    @field_validator("resolver")
    @classmethod
    def _address_of_dns(cls, value: str) -> str:
        if value and not _RESOLVER.fullmatch(value):
            raise ValueError("must be the address of a DNS server, such as 127.0.0.11 or [::1]:53")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            for word in words(value):
                ip_network(word)
        except ValueError:
            raise ValueError("must be networks such as 10.0.0.0/8, separated by commas") from None
        return value

    @field_validator("tls_certificate", "tls_key", "folder", "access_log", "brotli_modules")
    @classmethod
    def _plain_path(cls, value: Path | None) -> Path | None:
        if value is not None and not _PATH.fullmatch(str(value)):
            raise ValueError("must be an absolute path of letters, digits and ._-/")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> "GatewaySettings":
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("TASKMANAGER_GATEWAY_TLS_CERTIFICATE and TASKMANAGER_GATEWAY_TLS_KEY need each other")
        if self.redirect_listen and not self.tls_certificate:
            raise ValueError("TASKMANAGER_GATEWAY_REDIRECT_LISTEN needs a TLS certificate to redirect to")
        if self.resolver and self.version < _RESOLVES:
            raise ValueError("TASKMANAGER_GATEWAY_RESOLVER needs NGINX 1.27.3 or newer")
        return self

    def servers_of(self, service: str) -> list[str]:
        """Return the addresses of the web processes of a service: its own, else those that serve all."""
        return words(getattr(self, f"{service}_servers", "")) or words(self.servers)

    @property
    def version(self) -> tuple[int, ...]:
        """Return the version of NGINX, for comparisons."""
        return tuple(map(int, self.nginx_version.split(".")))
