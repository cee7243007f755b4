"""Events of the links to calendars."""

from dataclasses import dataclass
from typing import ClassVar

from taskmanager.features.users.events import UserFact


@dataclass(frozen=True)
class CalendarLinksIssued(UserFact):
    kind: ClassVar[str] = "calendar_links.issued"


@dataclass(frozen=True)
class CalendarLinksRevoked(UserFact):
    kind: ClassVar[str] = "calendar_links.revoked"
