"""The events of reminders."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor
from taskmanager.features.tasks.models import Task


@dataclass(frozen=True)
class ReminderFact(Fact):
    """Base of the events of reminders; they are in the stream of the user, because other users do not see them."""

    reminder: Any
    actor: Actor | None

    def stream(self) -> str:
        return f"user:{self.reminder.user_id}"

    def subject(self) -> ObjectId:
        return self.reminder.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id if self.actor else None

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
    """The reminder was due, and its user is notified; `moment` is when it was due."""

    kind: ClassVar[str] = "reminder.fired"
    task: Task
    moment: datetime

    def data(self) -> dict[str, Any]:
        return {
            **super().data(),
            "user_id": self.reminder.user_id,
            "moment": self.moment,
            "revision": self.task.revision,
        }
