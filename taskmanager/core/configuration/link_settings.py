"""The settings of links: where those in mails, notifications and text messages lead."""

from pydantic import model_validator
from pydantic_settings import BaseSettings

from taskmanager.core.configuration import link_patterns


class LinkSettings(BaseSettings, defer_build=True):
    """The URL of an operator's front end, and the pattern of each link to it."""

    app_url: str = ""
    link_task: str = "/tasks/{id}"
    link_project: str = "/projects/{id}"
    link_confirm: str = "/confirm?token={token}"
    link_address_change: str = "/address-change?token={token}"
    link_reset: str = "/reset?token={token}"
    link_invitation: str = "/invitations/{id}?token={token}"
    link_unsubscribe: str = "/unsubscribe?token={token}"

    @model_validator(mode="after")
    def _paths_have_a_front_end(self) -> "LinkSettings":
        for name in link_patterns.PATTERNS:
            field = f"link_{name}"
            pattern = getattr(self, field)
            chosen = pattern != type(self).model_fields[field].default
            if chosen and not self.app_url and pattern.startswith("/"):
                raise ValueError(f"TASKMANAGER_{field.upper()} needs TASKMANAGER_APP_URL, or must begin with https://")
        return self

    def link_pattern(self, name: str) -> str | None:
        """Return the pattern of a link to the front end, as a URL; None for a page of the service."""
        pattern: str = getattr(self, f"link_{name}")
        if link_patterns.is_absolute(pattern):
            return pattern
        return self.app_url.rstrip("/") + pattern if self.app_url and pattern != link_patterns.OWN_PAGE else None
