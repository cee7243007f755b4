"""The QuerySet of tasks."""

from collections.abc import Iterable
from typing import Self

from bson import ObjectId

from taskmanager.core.filters.nodes import Context, Node
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Filter
from taskmanager.core.storage.querysets import BaseQuerySet

ALIVE: Filter = {"deleted_at": None}  # the condition of the partial indexes of lists


class TaskQuerySet(BaseQuerySet):
    """Queries of tasks."""

    def visible_to(self, actor: Actor) -> Self:
        """Return the tasks in projects that the actor is a member of, without the trash."""
        return self.in_projects(actor.project_roles)

    def matching(self, condition: Node, context: Context) -> Self:
        """Return the tasks that match a filter; `context` has the meaning of its names for the caller."""
        return self.filter(__raw__={"$and": [condition.query(context)]})

    def in_trash(self) -> Self:
        """Return the deleted tasks that can be restored."""
        return self.filter(deleted_at__exists=True, purged_at=None)

    def in_projects(self, project_ids: Iterable[ObjectId]) -> Self:
        """Return the tasks of these projects, without the trash."""
        return self.narrowed(deleted_at=None, project_id={"$in": list(project_ids)})

    def in_project(self, project_id: ObjectId) -> Self:
        """Return the tasks of one project, without the trash."""
        return self.narrowed(deleted_at=None, project_id=project_id)
