"""Every setting of the service: typed, read once from ``TASKMANAGER_*`` variables, checked at start.

No other module of the package reads the environment. The composition root (`create_app`, a worker, a
command) calls `use(settings)` once; code that needs a value calls `current()`.
"""

import os
import secrets
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from taskmanager.core.configuration import connection_urls, service_groups, setting_names, setting_rules
from taskmanager.core.configuration.database_settings import DatabaseSettings
from taskmanager.core.configuration.gateway_settings import GatewaySettings
from taskmanager.core.configuration.limit_settings import LimitSettings
from taskmanager.core.configuration.link_settings import LinkSettings
from taskmanager.core.configuration.public_settings import PublicSettings
from taskmanager.core.configuration.sync_settings import SyncSettings
from taskmanager.core.configuration.telemetry_settings import TelemetrySettings
from taskmanager.core.errors import Misconfigured

S = TypeVar("S", bound=BaseSettings)

_UNSAFE_SECRETS = {"secret", "changeme", "change-me", "development", "password", "taskmanager"}

_ACCESS_TOKEN_MINUTES = Field(15, ge=1, le=24 * 60)


class Settings(PublicSettings, LinkSettings, SyncSettings, LimitSettings, DatabaseSettings, TelemetrySettings):
    """The settings of an operator. `config/env.example` has a sentence for each variable."""

    model_config = SettingsConfigDict(
        env_prefix="TASKMANAGER_", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
    )

    environment: Literal["development", "testing", "production"] = "development"
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    socket: Path | None = None
    public_url: str = ""
    data_dir: Path = Path(".data")
    plugins_enabled: bool = True
    services: str = "all"

    queue_url: str = "redis://127.0.0.1:6379/0"
    cache_url: str = "redis://127.0.0.1:6380/0"
    redis_timeout_ms: int = Field(250, ge=10, le=10_000)

    secret_key: SecretStr = SecretStr("")
    keys_dir: Path | None = None
    access_token_minutes: int = _ACCESS_TOKEN_MINUTES
    refresh_token_days: int = Field(30, ge=1, le=365)
    refresh_grace_seconds: int = Field(10, ge=0, le=60)
    bcrypt_cost: int = Field(12, ge=4, le=16)
    email_token_hours: int = Field(24, ge=1, le=24 * 14)
    password_reset_minutes: int = Field(30, ge=5, le=24 * 60)
    token_days_most: int = Field(366, ge=1, le=3660)
    require_totp_for_admins: bool = False
    event_days: int = Field(365, ge=30, le=36_500)
    audit_days: int = Field(365, ge=1, le=36_500)
    trash_days: int = Field(30, ge=1, le=3660)
    lockout_failures: int = Field(10, ge=3, le=1000)
    lockout_minutes: int = Field(15, ge=1, le=24 * 60)
    invitation_days: int = Field(7, ge=1, le=90)
    share_visit_minutes: int = Field(60, ge=1, le=24 * 60)
    page_session_hours: int = Field(12, ge=1, le=24 * 30)
    oidc_issuer: str = ""
    oidc_client_id: str = ""
    oidc_client_secret: SecretStr = SecretStr("")
    oidc_name: str = "Single sign-on"
    oidc_timeout_seconds: float = Field(3.0, gt=0, le=30)
    oidc_client_auth: Literal["auto", "basic", "post"] = "auto"
    oidc_trust_email: bool = False
    admin_email: str = "admin@example.com"
    admin_password: SecretStr = SecretStr("")

    proxy_count: int = Field(0, ge=0, le=10)
    max_body_bytes: int = Field(1_000_000, ge=1_000, le=16_000_000)
    attachment_store: str = "gridfs"
    attachment_folder: Path | None = None
    attachment_max_bytes: int = Field(25_000_000, ge=1, le=2_000_000_000)
    attachment_types: str = "*/*"
    idempotency_hours: int = Field(24, ge=1, le=24 * 30)

    mail_url: str = "smtp://127.0.0.1:1025"
    mail_from: str = "Task Manager <no-reply@localhost>"
    mail_timeout_seconds: float = Field(10.0, gt=0, le=30)
    mail_helo: str = ""
    mail_ca_file: Path | None = None
    mail_oauth_token_file: Path | None = None
    mail_connections: int = Field(4, ge=1, le=64)
    mail_notices_hourly: int = Field(10, ge=1, le=1_000)
    mail_account_hourly: int = Field(10, ge=5, le=1_000)
    mail_unasked_hourly: int = Field(5, ge=1, le=1_000)
    notification_window_seconds: int = Field(20, ge=0, le=3600)
    notification_days: int = Field(90, ge=1, le=3660)
    delivery_hours: int = Field(26, ge=24, le=24 * 14)
    delivery_days: int = Field(30, ge=1, le=3660)
    dead_delivery_days: int = Field(90, ge=1, le=3660)

    sms_url: str = ""
    sms_monthly_cap: int = Field(50, ge=1, le=100_000)
    chat_url: str = ""
    webhook_allow: str = ""
    webhook_http: bool = True
    webhook_timeout_seconds: float = Field(10.0, gt=0, le=20)
    webhook_concurrency: int = Field(4, ge=1, le=100)
    webhook_disable_days: float = Field(5, gt=0, le=90)

    web_processes: int = Field(2, ge=1, le=64)
    web_threads: int = Field(8, ge=1, le=128)
    worker_processes: int = Field(1, ge=1, le=64)
    job_silence_seconds: int = Field(10, ge=2, le=600)
    start_seconds: int = Field(600, ge=1, le=86_400)
    reload: bool = False

    @field_validator(
        *("socket", "data_dir", "keys_dir", "attachment_folder", "mail_ca_file", "mail_oauth_token_file", "log_file")
    )
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value and value.expanduser().absolute()

    @field_validator("*")
    @classmethod
    def _read_as_its_user_does(cls, value: Any, info: ValidationInfo) -> Any:
        name = info.field_name or ""
        setting_rules.check(name, cls.model_fields[name].annotation, value)
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> "Settings":
        secret = self.secret_key.get_secret_value()
        if secret and (len(secret) < 32 or secret.lower() in _UNSAFE_SECRETS):
            raise ValueError("TASKMANAGER_SECRET_KEY must be at least 32 characters of random text")
        if self.environment == "production" and not (secret and self.keys_dir):
            raise ValueError("production needs TASKMANAGER_SECRET_KEY and TASKMANAGER_KEYS_DIR")
        if connection_urls.is_same_store(self.queue_url, self.cache_url):
            raise ValueError("TASKMANAGER_QUEUE_URL and TASKMANAGER_CACHE_URL must be two stores: a cache evicts")
        if self.environment == "production" and self.oidc_issuer.startswith("http://"):
            raise ValueError("TASKMANAGER_OIDC_ISSUER must begin with https:// in production")
        if self.mail_oauth_token_file and not connection_urls.mail_server(self.mail_url).user:
            raise ValueError("TASKMANAGER_MAIL_OAUTH_TOKEN_FILE needs the user in TASKMANAGER_MAIL_URL")
        if self.oidc_issuer and not self.oidc_client_id:
            raise ValueError("TASKMANAGER_OIDC_ISSUER needs TASKMANAGER_OIDC_CLIENT_ID")
        self.check_signup(in_production=self.environment == "production")
        return self

    @property
    def keys_path(self) -> Path:
        """Return the folder of the signing keys."""
        return self.keys_dir or self.data_dir / "keys"

    @property
    def base_url(self) -> str:
        """Return the public URL of the service, without a trailing slash."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (self.public_url or f"http://{host}:{self.port}").rstrip("/")

    @property
    def stream_base(self) -> str:
        """Return the URL of the process of the stream, without a path: that of the service behind a gateway."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        public = urlsplit(self.public_url if self.environment == "production" else "")
        behind = f"{public.scheme}://{public.netloc}" if public.netloc else ""
        return (self.stream_url or behind or f"http://{host}:{self.stream_port}").rstrip("/")

    @property
    def own_services(self) -> frozenset[str]:
        """Return the services that this process works for."""
        return service_groups.parse(self.services)

    def secret(self) -> bytes:
        """Return the secret that signs tokens and cursors. Outside production it is generated once, in `data_dir`."""
        configured = self.secret_key.get_secret_value()
        return configured.encode() if configured else _kept_secret(self.data_dir / "secret")


class KeySettings(BaseSettings):
    """The settings of the signing keys alone: the command that creates the first key needs no other setting."""

    model_config = Settings.model_config

    data_dir: Path = Path(".data")
    keys_dir: Path | None = None
    access_token_minutes: int = _ACCESS_TOKEN_MINUTES

    @property
    def keys_path(self) -> Path:
        """Return the folder of the signing keys."""
        return (self.keys_dir or self.data_dir / "keys").expanduser().absolute()


@lru_cache
def _kept_secret(path: Path) -> bytes:
    """Read the secret at `path`, and generate it (mode 0600) when there is none; safe for concurrent processes.

    A process reads it once: each cursor needs it.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{secrets.token_hex(4)}")
        draft.touch(mode=0o600)
        draft.write_text(secrets.token_urlsafe(48))
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            pass  # another process was first: its secret counts
        finally:
            draft.unlink()
    return path.read_bytes()


_current: Settings | None = None


def use(settings: Settings) -> None:
    """Make `settings` the effective settings of this process."""
    global _current
    _current = settings


def effective() -> Settings | None:
    """Return the effective settings; None before `use`."""
    return _current


def current() -> Settings:
    """Return the effective settings. Raises Misconfigured when no composition root has called `use`."""
    if _current is None:
        raise Misconfigured("no settings are in use: call create_app(settings) or connect(settings) first")
    return _current


def build(kind: type[S], **overrides: Any) -> S:
    """Read settings of the class `kind` from the environment.

    Raises Misconfigured with the name, and never the value, of each wrong variable, and of each that is no setting.
    """
    prefix = kind.model_config.get("env_prefix", "")
    ours = prefix == Settings.model_config["env_prefix"]
    known = [*Settings.model_fields, *(f"gateway_{name}" for name in GatewaySettings.model_fields)]
    lines = setting_names.unknown(prefix, known, os.environ) if ours else []
    try:
        found = kind(**overrides)
    except ValidationError as error:
        lines = [_explain(prefix, item) for item in error.errors(include_url=False, include_input=False)] + lines
    if lines:
        raise Misconfigured("; ".join(lines))
    return found


def refuse_unknown_of_plugins(kinds: Iterable[type[BaseSettings]]) -> list[str]:
    """Compare the variables with the settings of all plugins; return the names that no installed plugin reads.

    Raises Misconfigured for a variable that has a plugin's prefix and is none of its settings.
    """
    known = {kind.model_config.get("env_prefix", ""): kind.model_fields for kind in kinds}
    lines, orphans = setting_names.unknown_of_plugins(known, os.environ)
    if lines:
        raise Misconfigured("; ".join(lines))
    return orphans


def _explain(prefix: str, item: Mapping[str, Any]) -> str:
    location = "_".join(str(part) for part in item["loc"])
    message = str(item["msg"]).removeprefix("Value error, ")
    return f"{prefix}{location.upper()}: {message}" if location else message
