"""Words for queries of accounts, sessions and tokens."""

from typing import Self

from taskmanager.core.clock import now
from taskmanager.core.querysets import Words


class ExpiringWords(Words):
    """Queries of what ends at a time."""

    def live(self) -> Self:
        """Not expired."""
        return self.filter(expires_at__gt=now())


class SessionWords(ExpiringWords):
    """Queries of sessions."""

    def live(self) -> Self:
        """Neither ended nor expired."""
        return super().live().filter(ended_at=None)
