"""Events of the service as a whole."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact


@dataclass(frozen=True)
class ServiceFact(Fact):
    """Something that was declared for the whole service; `by` is the administrator (None: an operator's command)."""

    audited: ClassVar[bool] = True

    by: ObjectId | None

    def stream(self) -> str:
        return "service"

    def subject(self) -> ObjectId | None:
        return None

    def actor_id(self) -> ObjectId | None:
        return self.by


@dataclass(frozen=True)
class MaintenanceBegun(ServiceFact):
    """Nothing can be changed from now on; also when message or planned end of a maintenance change."""

    kind: ClassVar[str] = "service.maintenance_begun"
    message: str = ""
    until: datetime | None = None

    def data(self) -> dict[str, Any]:
        return {"message": self.message, "until": self.until}


@dataclass(frozen=True)
class MaintenanceEnded(ServiceFact):
    kind: ClassVar[str] = "service.maintenance_ended"


@dataclass(frozen=True)
class DeliveriesReplayed(ServiceFact):
    """Deliveries that were finished are sent again; `channel` and `query` are those of the search, if any."""

    kind: ClassVar[str] = "service.deliveries_replayed"
    number: int = 0
    channel: str = ""
    query: str = ""

    def data(self) -> dict[str, Any]:
        return {"number": self.number, "channel": self.channel, "query": self.query}


@dataclass(frozen=True)
class EventsRevived(ServiceFact):
    """Events that were given up are dispatched again."""

    kind: ClassVar[str] = "service.events_revived"
    number: int = 0

    def data(self) -> dict[str, Any]:
        return {"number": self.number}


@dataclass(frozen=True)
class MessageChanged(ServiceFact):
    """The message of the day is another one; `text` is empty when it was deleted."""

    kind: ClassVar[str] = "service.message_changed"
    text: str = ""

    def data(self) -> dict[str, Any]:
        return {"text": self.text}
