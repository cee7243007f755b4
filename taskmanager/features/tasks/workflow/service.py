"""Use cases of a project's workflow. They are in this feature because a status that tasks have cannot be removed."""

from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import ProjectUpdated
from taskmanager.features.projects.models import Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.tasks.models import Task


def get(project_id: ObjectId, *, actor: Actor) -> Row:
    """Return the workflow of a project: its `statuses`, under the revision of the project. Raises NotFound."""
    return _row(Project.objects.visible_to(actor).one(project_id))


@unit_of_work
def replace(project_id: ObjectId, statuses: list[dict[str, Any]], *, if_match: IfMatch, actor: Actor) -> Row:
    """Replace the statuses of a project; their order is that of the list.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`status.in_use`, with `statuses`) when a status that tasks
    have would be removed or change its group.
    """
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.EDIT, project)
    project.check_revision(if_match)
    groups = {status["key"]: status["group"] for status in statuses}
    removed = [old["key"] for old in project.workflow.statuses if groups.get(old["key"]) != old["group"]]
    used = [key for key in removed if Task.objects(project_id=project_id, status=key).first()]
    if used:
        detail = "Tasks have a status that would be removed or change its group."
        raise Conflict(detail, code="status.in_use", statuses=used)
    changes = project.differences({"statuses": statuses})
    if changes:
        project = project.write(statuses=statuses)
        record(ProjectUpdated(project, actor, changes))
    return _row(project)


def _row(project: Project) -> Row:
    return {"statuses": project.workflow.statuses, "revision": project.revision}
