"""The three environments. `TASKMANAGER_ENVIRONMENT` chooses one; every value can be set by a variable."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field

from taskmanager.core.configuration.settings import Settings, build
from taskmanager.core.errors import Misconfigured


class Development(Settings):
    """For `make run` and `make dev`: secrets and keys are generated once and stored in the data folder."""


class Testing(Settings):
    """For tests: cheap password hashes, high limits."""

    environment: Literal["development", "testing", "production"] = "testing"
    bcrypt_cost: int = Field(4, ge=4, le=16)
    mail_notices_hourly: int = Field(1_000, ge=1, le=1_000)
    mail_account_hourly: int = Field(1_000, ge=5, le=1_000)
    mail_unasked_hourly: int = Field(1_000, ge=1, le=1_000)


class Production(Settings):
    """For production: requires a secret and a folder of signing keys; sends webhooks by https only."""

    environment: Literal["development", "testing", "production"] = "production"
    webhook_http: bool = False


# A file in it has the value of the setting of its name, such as `taskmanager_secret_key`: secrets of Docker, of Podman.
SECRETS = Path("/run/secrets")
_KINDS: dict[str, type[Settings]] = {"development": Development, "testing": Testing, "production": Production}


def load(**overrides: object) -> Settings:
    """Return the settings of this process. Raises Misconfigured with the name, never the value, of wrong variables."""
    name = os.environ.get("TASKMANAGER_ENVIRONMENT", "development")
    if name not in _KINDS:
        raise Misconfigured(f"TASKMANAGER_ENVIRONMENT must be one of {', '.join(_KINDS)}")
    files = {"_secrets_dir": SECRETS} if SECRETS.is_dir() else {}
    return build(_KINDS[name], **files, **overrides)
