"""`TASKMANAGER_X_SAMPLE_GREETING`."""

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class SampleSettings(BaseSettings):
    """Read at start; a wrong value is refused there, and a misspelled name too."""

    model_config = SettingsConfigDict(env_prefix="TASKMANAGER_X_SAMPLE_", hide_input_in_errors=True)

    greeting: str = Field("Hello", max_length=20)
