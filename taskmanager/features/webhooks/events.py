"""Events of webhooks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from bson import ObjectId

from taskmanager.core.events.log import Fact
from taskmanager.core.security.access import Actor


@dataclass(frozen=True)
class WebhookFact(Fact):
    """An event of a webhook, in the stream of its project or of its owner."""

    webhook: Any
    actor: Actor | None
    changes: Sequence[str] = ()

    def stream(self) -> str:
        return f"project:{self.webhook.project_id}" if self.webhook.project_id else f"user:{self.webhook.owner_id}"

    def subject(self) -> ObjectId:
        return self.webhook.id

    def actor_id(self) -> ObjectId | None:
        return self.actor.user_id if self.actor else None

    def data(self) -> dict[str, Any]:
        return {"changes": list(self.changes), "owner_id": self.webhook.owner_id}


@dataclass(frozen=True)
class WebhookCreated(WebhookFact):
    kind: ClassVar[str] = "webhook.created"
    audited: ClassVar[bool] = True


@dataclass(frozen=True)
class WebhookUpdated(WebhookFact):
    """`changes` are the names of the fields."""

    kind: ClassVar[str] = "webhook.updated"
    audited: ClassVar[bool] = True


@dataclass(frozen=True)
class WebhookDeleted(WebhookFact):
    kind: ClassVar[str] = "webhook.deleted"
    audited: ClassVar[bool] = True


@dataclass(frozen=True)
class WebhookDisabled(WebhookFact):
    """The webhook was turned off by the service: it failed for days, or its owner left."""

    kind: ClassVar[str] = "webhook.disabled"
