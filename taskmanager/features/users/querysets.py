"""Words for queries of accounts, sessions and tokens."""

from typing import Self

from taskmanager.core.clock import now
from taskmanager.core.storage.querysets import BaseQuerySet


class UserQuerySet(BaseQuerySet):
    """Queries of accounts."""

    def found_by(self, start: str) -> Self:
        """Return those whose address, name or a word of the name begins so."""
        return self.filter(search__startswith=start.lower())

    def administrators(self) -> Self:
        """Return those who are administrators and may act."""
        return self.filter(role="admin", disabled_at=None)


class ExpiringQuerySet(BaseQuerySet):
    """Queries of what ends at a time."""

    def live(self) -> Self:
        """Say that this process answers."""
        return self.filter(expires_at__gt=now())


class SessionQuerySet(ExpiringQuerySet):
    """Queries of sessions."""

    def live(self) -> Self:
        """Say that this process answers."""
        return super().live().filter(ended_at=None)
