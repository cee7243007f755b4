"""Settings of what everybody meets first: which pages may use the API, and who may make an account."""

from pydantic_settings import BaseSettings


class PublicSettings(BaseSettings):
    """The part of `Settings` for strangers: browsers, clients and people without an account."""

    cors_origins: str = ""
