"""Use cases of a project's workflow. They stand here because a status that tasks have must stay."""

from typing import Any

from bson import ObjectId

from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.querysets import Row
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
    """Give a project these statuses, in this order.

    Raises NotFound, Forbidden, PreconditionFailed, Conflict (`status.in_use`, with `statuses`) when one that tasks
    have would go or change its group.
    """
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.EDIT, project)
    project.check_revision(if_match)
    groups = {status["key"]: status["group"] for status in statuses}
    gone = [old["key"] for old in project.workflow.statuses if groups.get(old["key"]) != old["group"]]
    used = [key for key in gone if Task.objects(project_id=project_id, status=key).first()]
    if used:
        raise Conflict("Tasks have a status that would go: move them first.", code="status.in_use", statuses=used)
    changes = project.differences({"statuses": statuses})
    if changes:
        project = project.write(statuses=statuses)
        record(ProjectUpdated(project, actor, changes))
    return _row(project)


def _row(project: Project) -> Row:
    return {"statuses": project.workflow.statuses, "revision": project.revision}
