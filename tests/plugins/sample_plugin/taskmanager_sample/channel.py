"""A channel: it writes what users are notified of on a board, in chalk."""

from collections.abc import Iterable

from bson import ObjectId

from taskmanager.features.notifications.channels.base import Message, Rejected


class Blackboard:
    """See `Channel` in `taskmanager/features/notifications/channels/base.py`."""

    name = "blackboard"  # in preferences and delivery records
    queue = "low"  # on which it is tried again
    seconds = 1.0  # the longest that `send` takes
    threads = 2  # how many messages a worker sends at a time beside its jobs, in threads; 0: within the job
    bundled = False  # whether quiet hours, digests and the wait for more of the same task hold for it

    def __init__(self) -> None:
        self.lines: dict[ObjectId, str] = {}  # by the id of the delivery, which is the same at each attempt
        self.trouble: Exception | None = None

    def reaches(self, user_ids: Iterable[ObjectId]) -> set[ObjectId]:
        """Whom it can tell: whose address it knows."""
        return set(user_ids)

    def send(self, message: Message) -> None:
        """Raise Rejected for what will never work; anything else that is raised is tried again later."""
        if self.trouble:
            raise self.trouble
        if any(len(notice.subject) > 200 for notice in message.notices):
            raise Rejected("The board is too small.")
        self.lines[message.delivery.id] = "; ".join(notice.subject for notice in message.notices)


board = Blackboard()
