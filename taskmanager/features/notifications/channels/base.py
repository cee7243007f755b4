"""The interface of channels.

A channel is an object with the members of `Channel`, contributed by a feature or plugin. The service decides when and
to whom a message is sent; the channel sends it, and reports the outcome by what it raises.
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

Note = dict[str, Any]  # what a channel records of one attempt, for the log of the delivery


class Failed(Exception):
    """The attempt failed, and is repeated. For channels that record a note about the attempt."""

    def __init__(self, reason: str, *, note: Note | None = None) -> None:
        super().__init__(reason)
        self.note = note


class Rejected(TaskManagerError):
    """The receiver will never accept this message: it is not tried again."""

    code = "delivery.rejected"

    def __init__(self, detail: str, *, note: Note | None = None) -> None:
        super().__init__(detail)
        self.note = note


class Cancelled(TaskManagerError):
    """There is nothing to send any more, or no recipient."""

    code = "delivery.cancelled"


class Postponed(TaskManagerError):
    """The delivery must wait for a reason outside of itself: no attempt is counted.

    `until` None: until a thread may be free. With `group` it joins the delivery group of this name.
    """

    code = "delivery.postponed"

    def __init__(self, until: datetime | None = None, *, group: str | None = None) -> None:
        super().__init__()
        self.until, self.group = until, group


@dataclass(frozen=True)
class Message:
    """What a channel sends to one recipient: the delivery, and all its notices, oldest first.

    `delivery.id` is the same at each attempt, so that receivers can recognise repetitions. `earlier` is how many older
    notices were left out because there are too many.
    """

    delivery: Delivery
    notices: list[Notice]
    earlier: int = 0


class Channel(Protocol):
    """Sends messages to users."""

    name: str  # in preferences and delivery records: lower-case letters, digits and _
    queue: str  # the queue in which attempts are repeated
    seconds: float  # the maximum duration of `send`, which must end by itself
    threads: int  # the number of threads in which a worker sends beside its jobs; 0: within the job
    grouped: bool  # whether quiet hours, digests and delivery groups apply

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Return the ids of the users whom the channel can reach, for instance because an address is known."""

    def send(self, message: Message) -> Note | None:
        """Send the message; return a note about the attempt for the log of the delivery, if any.

        Raises Rejected, Cancelled, Postponed; any other exception, such as Failed, is a failure, and is retried.
        """


CHANNELS: Part[Channel] = Part("channels")


def find(name: str) -> Channel | None:
    """Return the channel of this name, or None when it is not installed. Raises RegistryNotLoaded."""
    return CHANNELS.get(name)


def personal() -> list[Channel]:
    """Return the channels that users choose from, by name. Raises RegistryNotLoaded."""
    return [channel for name, channel in sorted(CHANNELS.items()) if name not in _UNCHOSEN]


_UNCHOSEN = {"webhook"}  # each webhook has its own list of events
