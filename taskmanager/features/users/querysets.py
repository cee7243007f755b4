"""Querysets of accounts, sessions and tokens."""

from typing import Self

from taskmanager.core.clock import now
from taskmanager.core.storage.querysets import BaseQuerySet


class UserQuerySet(BaseQuerySet):
    """Queries of accounts."""

    def found_by(self, start: str) -> Self:
        """Return the accounts whose address, name or a word of the name begins with `start`."""
        return self.filter(search__startswith=start.lower())

    def administrators(self) -> Self:
        """Return the administrators that are not disabled."""
        return self.filter(role="admin", disabled_at=None)


class ExpiringQuerySet(BaseQuerySet):
    """Queries of documents with `expires_at`."""

    def live(self) -> Self:
        """Return the documents that have not expired."""
        return self.filter(expires_at__gt=now())


class SessionQuerySet(ExpiringQuerySet):
    """Queries of sessions."""

    def live(self) -> Self:
        """Return the sessions that have neither ended nor expired."""
        return super().live().filter(ended_at=None)
