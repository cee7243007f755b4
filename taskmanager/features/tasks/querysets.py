"""The QuerySet of tasks."""

import re
from typing import Any, Self

from bson import ObjectId

from taskmanager.core.filters.branches import branches
from taskmanager.core.filters.nodes import Context, Node
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import BaseQuerySet, Filter


class TaskQuerySet(BaseQuerySet):
    """Queries of tasks."""

    def visible_to(self, actor: Actor) -> Self:
        """Return the tasks in projects that the actor is a member of, without the trash."""
        return self.narrowed(deleted_at=None, project_id={"$in": list(actor.project_roles)})

    def current_of(self, actor: Actor) -> Self:
        """Return the tasks that are visible to the actor, without those of archived projects."""
        current = [key for key in actor.project_roles if key not in actor.archived]
        return self.narrowed(deleted_at=None, project_id={"$in": current})

    def matching(self, condition: Node, context: Context) -> Self:
        """Return the tasks that match a filter; `context` has the meaning of its names for the caller."""
        return self.filter(__raw__=query_of(condition, context))

    @property
    def reads_documents(self) -> bool:
        """Return whether the query has conditions that no index of lists covers: free text, keys, custom fields."""
        return _reads_documents(self._query)

    def in_trash(self) -> Self:
        """Return the deleted tasks that can be restored."""
        return self.filter(deleted_at__exists=True, purged_at=None)

    def in_project(self, project_id: ObjectId) -> Self:
        """Return the tasks of one project, without the trash."""
        return self.narrowed(deleted_at=None, project_id=project_id)


def query_of(condition: Node, context: Context) -> Filter:
    """Return the MongoDB query of a filter; `context` has the meaning of its names for the caller."""
    found = branches(condition, context)
    return {"$or": found} if len(found) > 1 else {"$and": found}


_NOT_INDEXED = ("title", "description", "key", "$regex", "custom_fields")


def _reads_documents(part: Any) -> bool:
    if isinstance(part, dict):
        return any(name.split(".")[0] in _NOT_INDEXED or _reads_documents(value) for name, value in part.items())
    return any(map(_reads_documents, part)) if isinstance(part, list) else isinstance(part, re.Pattern)
