"""Use cases of where projects stand: under which other, in which order, and archived or not.

A project under another is a matter of order only: membership is not inherited.
"""

from typing import Any

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
    """Raise Invalid unless the project may stand under this one: at most three levels, and no circle.

    The actor must be able to edit the parent as well. All edits of the tree hold one lock, so that two of them cannot
    make a circle together.
    """
    locks.hold("projects:tree")
    if parent_id is None:
        return
    parent = Project.objects.visible_to(actor).filter(id=parent_id).first()
    if parent is None or not ProjectAction.EDIT.permits(actor, parent):
        raise Invalid("body.parent_id", "You manage no such project.", code="project.parent_unknown")
    above = _above(parent)
    if project.id in above:
        raise Invalid("body.parent_id", "A project cannot stand under itself.", code="project.parent_cycle")
    if len(above) + _height(project.id) > MAX_DEPTH:
        raise Invalid("body.parent_id", f"Projects have at most {MAX_DEPTH} levels.", code="project.too_deep")


def _above(project: Project) -> list[ObjectId]:
    """Return itself and what it stands under."""
    found = [project.id]
    while project is not None and project.parent_id and project.parent_id not in found:
        found.append(project.parent_id)
        project = Project.objects(id=project.parent_id).only("parent_id").first()
    return found


def _height(project_id: ObjectId) -> int:
    """Return how many levels there are from a project down."""
    levels, level = 0, [project_id]
    while level:
        levels, level = levels + 1, list(Project.objects(parent_id__in=level).alive().scalar("id"))
    return levels


def parent_after_restore(project: Project) -> ObjectId | None:
    """Return what a restored project stands under: what it did if that is still there with room, else nothing."""
    locks.hold("projects:tree")
    parent = project.parent_id and Project.objects.alive().filter(id=project.parent_id).first()
    return parent.id if parent and len(_above(parent)) < MAX_DEPTH else None


def release_children(project: Project, actor: Actor) -> None:
    """Put what stood under a project that is deleted on the top level."""
    locks.hold("projects:tree")
    children = list(Project.objects(parent_id=project.id).alive())
    Project.write_all(children, parent_id=None)
    for child in children:
        record(ProjectUpdated(child, actor, {"parent_id": [project.id, None]}))


@unit_of_work
def archive(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Project:
    """Make a project read-only; one that is archived stays as it is. Raises NotFound, Forbidden, PreconditionFailed."""
    return _set_archived(project_id, True, if_match, actor)


@unit_of_work
def unarchive(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> Project:
    """Let people work in a project again. Raises NotFound, Forbidden, PreconditionFailed."""
    return _set_archived(project_id, False, if_match, actor)


def _set_archived(project_id: ObjectId, archived: bool, if_match: IfMatch, actor: Actor) -> Project:
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.ARCHIVE, project)
    project.check_revision(if_match)
    if bool(project.archived_at) == archived:
        return project
    project = project.write(archived_at=now() if archived else None)
    users.rights_changed(Membership.objects(project_id=project.id).scalar("user_id"))
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
    """Put a project before or after another that the actor sees.

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
    other: Any = others.filter(id=other_id).first()
    if other is None:
        raise Invalid(f"body.{field}", "You see no such project.", code="project.neighbour_unknown")
    return fractional.between(*positions.around(others, other.position, before=before is not None))
