"""Settings of what everybody meets first: which pages may use the API, who may make an account, whose service it is."""

from typing import Literal

from pydantic_settings import BaseSettings

from taskmanager.core.configuration import domains

SignupPolicy = Literal["open", "domains", "invited", "closed"]


class PublicSettings(BaseSettings, defer_build=True):
    """The part of `Settings` for strangers: browsers, clients and people without an account."""

    cors_origins: str = ""
    signup: SignupPolicy | None = None
    signup_domains: str = ""
    require_verified_email: bool = False
    direct_membership: bool | None = None
    service_name: str = "Task Manager"
    terms_url: str = ""
    privacy_url: str = ""
    support_url: str = ""

    @property
    def signup_policy(self) -> SignupPolicy:
        """Return who may make an account; outside of production, where it must be chosen, all by default."""
        return self.signup or "open"

    @property
    def adds_members_directly(self) -> bool:
        """Return whether managers add accounts to projects without an invitation; by default unless sign-up is open."""
        return self.signup_policy != "open" if self.direct_membership is None else self.direct_membership

    def check_signup(self, *, in_production: bool) -> None:
        """Raise ValueError when the settings of sign-up do not fit together."""
        if in_production and self.signup is None:
            raise ValueError(
                "production needs TASKMANAGER_SIGNUP: who may make an account (open, domains, invited or closed)"
            )
        if self.signup == "domains" and not domains.parse(self.signup_domains):
            raise ValueError("TASKMANAGER_SIGNUP=domains needs TASKMANAGER_SIGNUP_DOMAINS")
        if in_production and self.signup in ("domains", "invited") and not self.require_verified_email:
            raise ValueError(
                f"TASKMANAGER_SIGNUP={self.signup} needs TASKMANAGER_REQUIRE_VERIFIED_EMAIL=true in production:"
                " otherwise strangers can register the address of another"
            )
        if self.signup_policy == "open" and self.signup_domains:
            raise ValueError("TASKMANAGER_SIGNUP_DOMAINS needs TASKMANAGER_SIGNUP=domains: open sign-up admits all")
