"""Words for queries of accounts, sessions and tokens."""

from typing import Self

from taskmanager.core.clock import now
from taskmanager.core.storage.querysets import Words


class UserWords(Words):
    """Queries of accounts."""

    def found_by(self, start: str) -> Self:
        """Those whose address, name or a word of the name begins so."""
        return self.filter(search__startswith=start.lower())

    def administrators(self) -> Self:
        """Those who are administrators and may act."""
        return self.filter(role="admin", disabled_at=None)


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
