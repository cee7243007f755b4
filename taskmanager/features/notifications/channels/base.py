"""The one small interface of everything that notifies users.

A channel is an object with the members of `Channel`, which a feature or plugin contributes. The service says when
and to whom; the channel sends, and says by what it raises how it went.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from bson import ObjectId

from taskmanager.core.errors import TaskManagerError
from taskmanager.core.registry import Part
from taskmanager.features.notifications.content.registry import Notice
from taskmanager.features.notifications.models import Delivery

Note = dict[str, Any]  # what a channel says of one attempt, for the log of the delivery


class Failed(Exception):
    """It did not work this time: it is tried again. For channels that have something to say of the attempt."""

    def __init__(self, words: str, *, note: Note | None = None) -> None:
        super().__init__(words)
        self.note = note


class Rejected(TaskManagerError):
    """The receiver will never take this: it is not tried again."""

    code = "delivery.rejected"

    def __init__(self, detail: str, *, note: Note | None = None) -> None:
        super().__init__(detail)
        self.note = note


class Cancelled(TaskManagerError):
    """There is nothing to be told any more, or no user to be told."""

    code = "delivery.cancelled"


class Postponed(TaskManagerError):
    """Not now, through no fault of this delivery: no attempt is counted. `until` None: until there may be room.

    With `bundle` it goes out then together with all that waits under this name.
    """

    code = "delivery.postponed"

    def __init__(self, until: datetime | None = None, *, bundle: str | None = None) -> None:
        super().__init__()
        self.until, self.bundle = until, bundle


@dataclass(frozen=True)
class Message:
    """What a channel sends to one recipient: the delivery that stands for it, and all notices it tells, oldest first.

    `delivery.id` stays the same however often it is tried: what the receiver can tell repetitions by.
    `earlier` is how many older notices were left out because there are too many.
    """

    delivery: Delivery
    notices: list[Notice]
    earlier: int = 0


class Channel(Protocol):
    """What can tell people."""

    name: str  # in preferences and delivery records: small letters, digits and _
    queue: str  # on which of the queues it is tried again
    seconds: float  # the longest that `send` takes: it must end by itself
    threads: int  # how many messages a worker sends at a time beside its jobs, in threads; 0: within the job
    bundled: bool  # whether quiet hours, digests and the wait for more of the same task hold for it

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return which of these people it can tell: an address is known."""

    def send(self, message: Message) -> Note | None:
        """Tell it; returns what is to be kept of the attempt, if anything.

        Raises Rejected, Cancelled, Postponed; anything else, such as Failed, is a failure that is tried again.
        """


CHANNELS: Part[Channel] = Part("channels")


def find(name: str) -> Channel | None:
    """Return the channel of this name; None when it is not installed. Raises RegistryNotLoaded."""
    return CHANNELS.get(name)


def personal() -> list[Channel]:
    """Return the channels that users choose from, in a fixed order. Raises RegistryNotLoaded."""
    return [channel for name, channel in sorted(CHANNELS.items()) if name not in _UNCHOSEN]


_UNCHOSEN = {"webhook"}  # who has one has said what it is to be told
