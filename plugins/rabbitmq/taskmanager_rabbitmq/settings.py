"""The settings `TASKMANAGER_X_RABBITMQ_…`."""

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class RabbitSettings(BaseSettings):
    """Read at start by every process; only `taskmanager x rabbitmq publish` connects."""

    model_config = SettingsConfigDict(
        env_prefix="TASKMANAGER_X_RABBITMQ_", env_ignore_empty=True, hide_input_in_errors=True
    )

    url: SecretStr = SecretStr("amqp://guest:guest@127.0.0.1:5672/%2F")
    exchange: str = Field("taskmanager.events", pattern=r"^[\w.:-]{1,100}$")
    queue: str = Field("taskmanager.events", pattern=r"^[\w.:-]{1,100}$")
    source: str = Field("/taskmanager", min_length=1, max_length=200)
    audited: bool = False
    batch: int = Field(200, ge=1, le=1000)

    @field_validator("url")
    @classmethod
    def _amqp(cls, value: SecretStr) -> SecretStr:
        if not value.get_secret_value().startswith(("amqp://", "amqps://")):
            raise ValueError("must begin with amqp:// or amqps://")
        return value
