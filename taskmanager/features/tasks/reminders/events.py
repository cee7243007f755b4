"""What happens to reminders."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class ReminderFact(Fact):
    """Something that happened to a user's reminder, which others do not see."""

    reminder: Any
    actor: Actor | None

    def stream(self) -> str:
        return f"user:{self.reminder.user_id}"

    def subject(self) -> ObjectId:
        return self.reminder.id

    def actor_id(self) -> ObjectId | None:
        return self.actor and self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"task_id": self.reminder.task_id}


@dataclass(frozen=True)
class ReminderSet(ReminderFact):
    kind: ClassVar[str] = "reminder.set"


@dataclass(frozen=True)
class ReminderChanged(ReminderFact):
    kind: ClassVar[str] = "reminder.changed"


@dataclass(frozen=True)
class ReminderDeleted(ReminderFact):
    kind: ClassVar[str] = "reminder.deleted"


@dataclass(frozen=True)
class ReminderFired(ReminderFact):
    """It was time to tell the person of the task; `moment` is when it should have been."""

    kind: ClassVar[str] = "reminder.fired"
    task: Any = None
    moment: Any = None

    def data(self) -> dict[str, Any]:
        return {
            **super().data(),
            "user_id": self.reminder.user_id,
            "moment": self.moment,
            "revision": self.task.revision,
        }
