"""Use cases of the hierarchy of projects: parents, manual order, archive.

The hierarchy only arranges projects: membership is not inherited.
"""

from bson import ObjectId

from taskmanager.core import fractional
from taskmanager.core.clock import now
from taskmanager.core.errors import Invalid
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage import locks, positions
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import ProjectArchived, ProjectUnarchived, ProjectUpdated
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.projects.permissions import ProjectAction
from taskmanager.features.users import service as users

MAX_DEPTH = 3


def check_parent(project: Project, parent_id: ObjectId | None, actor: Actor) -> None:
    """Raise Invalid unless the project may have this parent: at most MAX_DEPTH levels, and no cycle.

    The actor must be able to edit the parent as well. All changes of the hierarchy hold one lock, so that two of them
    cannot make a cycle together.
    Codes: `project.parent_unknown`, `project.parent_cycle`, `project.too_deep`.
    """
    locks.hold("projects:tree")
    if parent_id is None:
        return
    parent = Project.objects.visible_to(actor).filter(id=parent_id).first()
    if parent is None or not ProjectAction.EDIT.permits(actor, parent):
        raise Invalid("body.parent_id", "You manage no such project.", code="project.parent_unknown")
    ancestors = _with_ancestors(parent)
    if project.id in ancestors:
        raise Invalid("body.parent_id", "A project cannot be its own ancestor.", code="project.parent_cycle")
    if len(ancestors) + _height(project.id) > MAX_DEPTH:
        raise Invalid("body.parent_id", f"Projects have at most {MAX_DEPTH} levels.", code="project.too_deep")


def _with_ancestors(project: Project) -> list[ObjectId]:
    """Return the ids of a project and its ancestors."""
    ids = [project.id]
    while project is not None and project.parent_id and project.parent_id not in ids:
        ids.append(project.parent_id)
        project = Project.objects(id=project.parent_id).only("parent_id").first()
    return ids


def _height(project_id: ObjectId) -> int:
    """Return the number of levels from a project down, with its own."""
    levels, level = 0, [project_id]
    while level:
        levels, level = levels + 1, list(Project.objects(parent_id__in=level).alive().scalar("id"))
    return levels


def parent_after_restore(project: Project) -> ObjectId | None:
    """Return the parent of a restored project: its former one if that exists and the depth permits it, else None."""
    locks.hold("projects:tree")
    parent = project.parent_id and Project.objects.alive().filter(id=project.parent_id).first()
    return parent.id if parent and len(_with_ancestors(parent)) < MAX_DEPTH else None


def release_children(project: Project, actor: Actor) -> None:
    """Move the children of a deleted project to the top level."""
    locks.hold("projects:tree")
    children = list(Project.objects(parent_id=project.id).alive())
    Project.write_all(children, parent_id=None)
    for child in children:
        record(ProjectUpdated(child, actor, {"parent_id": [project.id, None]}))


@unit_of_work
def archive(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Project:
    """Make a project read-only, if it is not already. Raises NotFound, Forbidden, PreconditionFailed."""
    return _set_archived(project_id, True, if_match, actor)


@unit_of_work
def unarchive(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Project:
    """Take a project out of the archive. Raises NotFound, Forbidden, PreconditionFailed."""
    return _set_archived(project_id, False, if_match, actor)


def _set_archived(project_id: ObjectId, archived: bool, if_match: IfMatch, actor: Actor) -> Project:
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.ARCHIVE, project)
    project.check_revision(if_match)
    if bool(project.archived_at) == archived:
        return project
    project = project.write(archived_at=now() if archived else None)
    users.raise_access_versions(Membership.objects(project_id=project.id).scalar("user_id"))
    record((ProjectArchived if archived else ProjectUnarchived)(project, actor))
    return project


@unit_of_work
def place(
    project_id: ObjectId,
    *,
    if_match: IfMatch,
    actor: Actor,
    before: ObjectId | None = None,
    after: ObjectId | None = None,
) -> Project:
    """Move a project before or after another visible one, in the manual order.

    Raises NotFound, Forbidden, PreconditionFailed, Invalid (`project.neighbour_unknown`).
    """
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.EDIT, project)
    project.check_revision(if_match)
    locks.hold("projects:tree")
    position = _position(project, before, after, actor)
    changes = project.differences({"position": position})
    if changes:
        project = project.write(position=position)
        record(ProjectUpdated(project, actor, changes))
    return project


def _position(project: Project, before: ObjectId | None, after: ObjectId | None, actor: Actor) -> str:
    field, other_id = ("before", before) if before else ("after", after)
    others = Project.objects.visible_to(actor).filter(id__ne=project.id)
    other = others.filter(id=other_id).first()
    if other is None:
        raise Invalid(f"body.{field}", "You see no such project.", code="project.neighbour_unknown")
    return fractional.between(*positions.around(others, other.position, before=before is not None))
