"""What happens: recorded in the transaction that makes it happen."""

from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor
from taskmanager_sample.models import Greeting


@dataclass(frozen=True)
class Greeted(Fact):
    """A member greeted those who watch a task."""

    kind: ClassVar[str] = "sample.greeted"
    greeting: Greeting
    actor: Actor

    def stream(self) -> str:
        return f"project:{self.greeting.project_id}"

    def subject(self) -> ObjectId:
        return self.greeting.task_id

    def actor_id(self) -> ObjectId:
        return self.actor.user_id

    def data(self) -> dict[str, Any]:
        return {"greeting": self.greeting.text}
