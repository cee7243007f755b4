"""Words for queries of accounts and sessions."""

from typing import Self

from taskmanager.core.clock import now
from taskmanager.core.querysets import Words


class SessionWords(Words):
    """Queries of sessions."""

    def live(self) -> Self:
        """Neither ended nor expired."""
        return self.filter(ended_at=None, expires_at__gt=now())
