"""Counting what is sent to MongoDB: a test of speed that does not depend on the machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo import monitoring


class Commands(monitoring.CommandListener):
    """Remembers the names of commands while a user counts them."""

    def __init__(self) -> None:
        self._counts: list[tuple[list[str], str]] = []

    @property
    def are_counted(self) -> bool:
        """Whether commands are counted at present."""
        return bool(self._counts)

    @contextmanager
    def counted(self, collection: str = "") -> Iterator[list[str]]:
        """`with commands.counted() as sent:` fills `sent` with names such as `find`, in their order.

        With a `collection`, only those for it.
        """
        sent: list[str] = []
        counting = (sent, collection)
        self._counts.append(counting)
        try:
            yield sent
        finally:
            self._counts.remove(counting)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        if event.command_name == "explain":  # by the service itself, when the machine was too busy for a quick answer
            return
        for sent, collection in self._counts:
            if collection in ("", event.command.get(event.command_name)):
                sent.append(event.command_name)

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        """Nothing to do."""

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        """Nothing to do."""


COMMANDS = Commands()
