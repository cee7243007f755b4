"""Settings of limits: how often, and how much."""

import re
from collections.abc import Mapping
from functools import lru_cache

from pydantic import Field
from pydantic_settings import BaseSettings


class LimitSettings(BaseSettings, defer_build=True):
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
    quota_exceptions: str = ""


_EXCEPTION = re.compile(r"([0-9a-f]{24})\.([a-z_]+)=([0-9]{1,15})")


@lru_cache(maxsize=8)
def quota_exceptions(text: str) -> Mapping[tuple[str, str], int]:
    """Return {(id of an account or a project, quota): limit} of a text such as `65f1….tasks=500000, 65f1….members=0`.

    Raises ValueError with a sentence that contains no part of the text.
    """
    found: dict[tuple[str, str], int] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        matched = _EXCEPTION.fullmatch(entry)
        if not matched or f"quota_{matched[2]}" not in LimitSettings.model_fields or matched[2] == "exceptions":
            raise ValueError("must be such as <id of an account or project>.<quota>=<number>, separated by commas")
        if (matched[1], matched[2]) in found:
            raise ValueError("names a quota of an account or project twice")
        found[matched[1], matched[2]] = int(matched[3])
    return found
