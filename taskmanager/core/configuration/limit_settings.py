"""Settings of limits: how often, and how much."""

from pydantic import Field
from pydantic_settings import BaseSettings


class LimitSettings(BaseSettings):
    """The part of `Settings` with rates of requests and quotas of accounts and projects."""

    ratelimit_enabled: bool = True
    ratelimit_default: str = "600/minute"
    ratelimit_network: str = "0"
    ratelimit_login_address: str = "30/minute"
    ratelimit_login_account: str = "10/minute"
    ratelimit_register: str = "60/hour"
    ratelimit_refresh: str = "60/minute"
    ratelimit_mail_address: str = "30/hour"
    ratelimit_mail_account: str = "5/hour"
    ratelimit_export: str = "10/hour"
    ratelimit_expensive: str = "60/minute"
    expensive_queries: int = Field(2, ge=1, le=100)
    ratelimit_secret: str = "20/minute"  # noqa: S105 a rate
    ratelimit_sms: str = "5/hour"
    ratelimit_invite: str = "60/hour"
    ratelimit_invitation: str = "60/hour"
    ratelimit_open_address: str = "60/minute"
    ratelimit_open_link: str = "10/minute"

    quota_projects: int = Field(500, ge=0)
    quota_memberships: int = Field(1000, ge=0)
    quota_members: int = Field(1000, ge=0)
    quota_tasks: int = Field(100_000, ge=0)
    quota_project_attachment_bytes: int = Field(50_000_000_000, ge=0)
    quota_account_attachment_bytes: int = Field(50_000_000_000, ge=0)
    quota_webhooks: int = Field(20, ge=0)
    quota_tokens: int = Field(50, ge=0)
    quota_views: int = Field(200, ge=0)
    quota_custom_fields: int = Field(50, ge=0)
    quota_labels: int = Field(1000, ge=0)
    quota_reminders: int = Field(5000, ge=0)
