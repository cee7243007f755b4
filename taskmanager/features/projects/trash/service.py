"""Use cases of deleted projects: owners list and restore them until they are purged, by hand or after some days.

A purge begins with a mark, after which the project cannot be restored; what belongs to it goes little by little
(see `features/purging`).
"""

from datetime import timedelta
from typing import Any

import structlog
from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core import quotas
from taskmanager.core.clock import now
from taskmanager.core.configuration import settings
from taskmanager.core.errors import Conflict, PreconditionFailed
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor, Visitor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import hierarchy
from taskmanager.features.projects.events import ProjectPurged, ProjectRestored
from taskmanager.features.projects.models import Membership, Project, alive_of, check_room_of_owner
from taskmanager.features.projects.permissions import ROLES, ProjectAction
from taskmanager.features.users import service as users

log = structlog.get_logger("taskmanager.projects")

RETRY = timedelta(hours=1)  # after which a purge that failed is tried again, so that it holds up no other
_BATCH = 100


def restorable_by(actor: Actor) -> Any:
    """Return the deleted projects that the actor may restore. A token for one project, and a visitor, see none."""
    if actor.one_project or isinstance(actor, Visitor):
        return Project.objects(id__in=[])
    return Project.objects.in_trash().filter(id__in=list(_owned(actor.user_id).scalar("project_id")))


def _owned(user_id: ObjectId) -> Any:
    """Return the memberships by which an account may restore, as they are now: deleted projects are not
    in its rights.
    """
    return Membership.objects(user_id=user_id, role__in=[role for role in ROLES if ProjectAction.RESTORE.allows(role)])


@unit_of_work
def restore(project_id: ObjectId, *, key: str | None = None, actor: Actor) -> Project:
    """Take a project out of the trash, with another `key` if one is given; one that is not in it stays as it is.

    Raises NotFound, Forbidden, Conflict (`project.key_taken`, `quota.projects`, `quota.memberships`).
    """
    deleted = restorable_by(actor).filter(id=project_id).first()
    if deleted is None:
        return _not_deleted(project_id, actor)
    _check_room(deleted, actor)
    key = key or deleted.key
    changes = deleted.differences({"key": key})
    place = {"parent_id": hierarchy.parent_after_restore(deleted)}
    try:
        project = deleted.write(deleted_at=None, **place, **({"key": key} if changes else {}))
    except NotUniqueError:
        detail = f"Another project has the key {key} by now: restore this one with another `key`."
        raise Conflict(detail, code="project.key_taken", key=key) from None
    users.rights_changed(Membership.objects(project_id=project.id).scalar("user_id"))
    record(ProjectRestored(project, actor, changes))
    return project


def _not_deleted(project_id: ObjectId, actor: Actor) -> Project:
    """Return a project that is there, perhaps since another request restored it. Raises NotFound, Forbidden."""
    project = Project.objects.alive().filter(id=project_id).first()
    if project and not actor.one_project and _owned(actor.user_id).filter(project_id=project_id).first():
        return project
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.RESTORE, project)
    return project


def _check_room(project: Project, actor: Actor) -> None:
    """Raise Conflict (`quota.projects`, `quota.memberships`) when who restores has no room for one more project.

    Others may have one more than they may, for it: what fills their quota must not let the project be purged.
    """
    if membership := Membership.objects(project_id=project.id, user_id=actor.user_id).first():
        quotas.check_room("memberships", alive_of(Membership.objects(user_id=actor.user_id)))
        if membership.role == "owner":
            check_room_of_owner(membership.user_id)


@unit_of_work
def purge(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Begin to delete a project that is in the trash for good. Raises NotFound, PreconditionFailed."""
    project = restorable_by(actor).one(project_id)
    project.check_revision(if_match)
    begin_purge(project, actor)


@unit_of_work
def begin_purge(project: Project, actor: Actor | None) -> None:
    """Mark a project as going for good. Raises PreconditionFailed when it was restored meanwhile."""
    record(ProjectPurged(project.write(purged_at=now()), actor))


def begin_old() -> int:
    """Begin the purge of what has been in the trash for the operator's number of days; return of how many."""
    end = now() - timedelta(days=settings.current().trash_days)
    due = Project.objects.in_trash().filter(deleted_at__lt=end, __raw__=not_put_off())
    return sum(_begin_safely(project) for project in due.order_by("deleted_at", "id").limit(_BATCH))


def _begin_safely(project: Project) -> bool:
    try:
        begin_purge(project, None)
    except PreconditionFailed:  # restored at this very moment
        return False
    except Exception:
        put_off(project)
        return False
    return True


def not_put_off() -> dict[str, Any]:
    """Return the condition for what is not to be tried again later."""
    return {"purge_after": {"$not": {"$gt": now()}}}


def put_off(item: Any) -> None:
    """Log that the purge of something in the trash fails, and try it again later. For use in an `except`."""
    log.exception("purge failed", item=type(item).__name__, id=str(item.id))
    type(item)._get_collection().update_one({"_id": item.id}, {"$set": {"purge_after": now() + RETRY}})
