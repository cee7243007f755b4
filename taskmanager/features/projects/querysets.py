"""Querysets of projects, memberships and invitations."""

from typing import Self

from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter
from taskmanager.core.storage.querysets import BaseQuerySet


class ProjectQuerySet(BaseQuerySet):
    """Queries of projects."""

    def visible_to(self, actor: Actor) -> Self:
        """Return the projects that the actor is a member of."""
        return self.alive().filter(id__in=list(actor.project_roles))

    def in_trash(self) -> Self:
        """Return the deleted projects that can be restored."""
        return self.filter(deleted_at__exists=True, purged_at=None)

    def matching(self, query: Filter | None) -> Self:
        """Return the projects that match a filter."""
        return self.filter(__raw__={"$and": [query]}) if query else self


class MembershipQuerySet(BaseQuerySet):
    """Queries of memberships."""

    def project_ids(self) -> list[ObjectId]:
        """Return the ids of the projects."""
        return list(self.distinct("project_id"))

    def visible_to(self, actor: Actor) -> Self:
        """Return the memberships of projects that the actor is a member of."""
        return self.filter(project_id__in=list(actor.project_roles))


class InvitationQuerySet(BaseQuerySet):
    """Queries of invitations."""

    def waiting(self) -> Self:
        """Return the invitations that can still be accepted or refused."""
        return self.filter(state="pending", expires_at__gt=now())
