"""The statuses of the tasks of a project: each project may have its own, in four groups."""

from collections.abc import Sequence
from typing import Any

GROUPS = ("backlog", "active", "done", "cancelled")
OPEN_GROUPS = ("backlog", "active")  # tasks in these are not finished

DEFAULT: tuple[dict[str, Any], ...] = (
    {"key": "open", "name": "Open", "group": "backlog"},
    {"key": "in_progress", "name": "In progress", "group": "active"},
    {"key": "done", "name": "Done", "group": "done"},
    {"key": "cancelled", "name": "Cancelled", "group": "cancelled"},
)


class Workflow:
    """The statuses of a project in order, each with `key`, `name`, `group` and an optional `color`."""

    def __init__(self, statuses: Sequence[dict[str, Any]] = ()) -> None:
        self.statuses = list(statuses) or [dict(status) for status in DEFAULT]
        self._groups = {status["key"]: status["group"] for status in self.statuses}

    def group_of(self, key: str) -> str | None:
        """Return the group of a status; None when there is no such status."""
        return self._groups.get(key)

    @property
    def first(self) -> str:
        """Return the status of new and reopened tasks: the first status of an open group."""
        return self._first_of(*OPEN_GROUPS)

    @property
    def done(self) -> str:
        """Return the status of completed tasks: the first status of the group done."""
        return self._first_of("done")

    def _first_of(self, *groups: str) -> str:
        return next(key for key, group in self._groups.items() if group in groups)
