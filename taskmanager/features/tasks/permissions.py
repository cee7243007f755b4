"""What each project role may do to a task, as a table."""

from typing import Any

from taskmanager.core.access import Actor
from taskmanager.core.permissions import Action
from taskmanager.features.projects.permissions import at_least


class TaskAction(Action):
    """Named permissions on tasks."""

    READ = "task:read"
    CREATE = "task:create"
    EDIT = "task:edit"
    COMPLETE = "task:complete"
    DELETE = "task:delete"

    def permits(self, actor: Actor, item: Any) -> bool:
        return at_least(_LEAST[self], actor.role_in(item.project_id))


_LEAST = {
    TaskAction.READ: "viewer",
    TaskAction.CREATE: "member",
    TaskAction.EDIT: "member",
    TaskAction.COMPLETE: "member",
    TaskAction.DELETE: "member",
}
