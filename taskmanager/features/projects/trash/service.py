"""Use cases of deleted projects: owners list, restore or purge them; after some days they are purged anyway.

A purge begins with a mark (`purged_at`), after which the project cannot be restored; `features/purging` then deletes
its documents in steps.
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
from taskmanager.core.storage.documents import IfMatch, Versioned
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects import hierarchy
from taskmanager.features.projects.events import ProjectPurged, ProjectRestored
from taskmanager.features.projects.models import Membership, Project, alive_of, check_room_of_owner
from taskmanager.features.projects.permissions import ROLES, ProjectAction
from taskmanager.features.users import service as users

log = structlog.get_logger("taskmanager.projects")

RETRY = timedelta(hours=1)  # before a failed purge is retried, so that it does not block others
_BATCH = 100


def restorable_by(actor: Actor) -> BaseQuerySet:
    """Return the deleted projects that the actor may restore: none for visitors and tokens for one project."""
    if actor.one_project or isinstance(actor, Visitor):
        return Project.objects(id__in=[])
    return Project.objects.in_trash().filter(id__in=list(_owned(actor.user_id).scalar("project_id")))


def _owned(user_id: ObjectId) -> BaseQuerySet:
    """Return the memberships that permit an account to restore. The actor's rights do not contain deleted projects."""
    return Membership.objects(user_id=user_id, role__in=[role for role in ROLES if ProjectAction.RESTORE.allows(role)])


@unit_of_work
def restore(project_id: ObjectId, *, key: str | None = None, actor: Actor) -> Project:
    """Restore a project from the trash, with another `key` if given; do nothing if it is not in the trash.

    Raises NotFound, Forbidden, Conflict (`project.key_taken`, `quota.projects`, `quota.memberships`).
    """
    deleted = restorable_by(actor).filter(id=project_id).first()
    if deleted is None:
        return _not_deleted(project_id, actor)
    _check_room(deleted, actor)
    key = key or deleted.key
    changes = deleted.differences({"key": key})
    parent_id = hierarchy.parent_after_restore(deleted)
    try:
        project = deleted.write(deleted_at=None, parent_id=parent_id, **({"key": key} if changes else {}))
    except NotUniqueError:
        detail = f"Another project has the key {key} by now: restore this one with another `key`."
        raise Conflict(detail, code="project.key_taken", key=key) from None
    member_ids = _member_ids(project)
    users.raise_access_versions(member_ids)
    record(ProjectRestored(project, actor, changes, member_ids))
    return project


def _not_deleted(project_id: ObjectId, actor: Actor) -> Project:
    """Return a project that is not deleted; another request may have restored it. Raises NotFound, Forbidden."""
    project = Project.objects.alive().filter(id=project_id).first()
    if project and not actor.one_project and _owned(actor.user_id).filter(project_id=project_id).first():
        return project
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.RESTORE, project)
    return project


def _check_room(project: Project, actor: Actor) -> None:
    """Raise Conflict (`quota.projects`, `quota.memberships`) when the actor's quotas do not allow one more project.

    Other members may exceed their quotas by it: their full quotas must not lead to the purge of the project.
    """
    if membership := Membership.objects(project_id=project.id, user_id=actor.user_id).first():
        quotas.check_room("memberships", alive_of(Membership.objects(user_id=actor.user_id)), actor.user_id)
        if membership.role == "owner":
            check_room_of_owner(membership.user_id)


@unit_of_work
def purge(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Begin the purge of a project in the trash. Raises NotFound, PreconditionFailed."""
    project = restorable_by(actor).one(project_id)
    project.check_revision(if_match)
    begin_purge(project, actor)


@unit_of_work
def begin_purge(project: Project, actor: Actor | None) -> None:
    """Mark a project as being purged. Raises PreconditionFailed when it was restored meanwhile."""
    record(ProjectPurged(project.write(purged_at=now()), actor, member_ids=_member_ids(project)))


def _member_ids(project: Project) -> list[ObjectId]:
    return list(Membership.objects(project_id=project.id).scalar("user_id"))


def begin_old() -> int:
    """Begin the purge of projects that were in the trash for the `trash_days` of the settings. Return how many."""
    end = now() - timedelta(days=settings.current().trash_days)
    due = Project.objects.in_trash().filter(deleted_at__lt=end, __raw__=not_put_off())
    return sum(_begin_safely(project) for project in due.order_by("deleted_at", "id").limit(_BATCH))


def _begin_safely(project: Project) -> bool:
    try:
        begin_purge(project, None)
    except PreconditionFailed:  # restored meanwhile
        return False
    except Exception:
        put_off(project)
        return False
    return True


def not_put_off() -> dict[str, Any]:
    """Return the condition on documents whose purge was not put off."""
    return {"purge_after": {"$not": {"$gt": now()}}}


def put_off(item: Versioned) -> None:
    """Log that the purge of a document failed, and retry it after RETRY. Call this in an `except` block."""
    log.exception("purge failed", item=type(item).__name__, id=str(item.id))
    type(item)._get_collection().update_one({"_id": item.id}, {"$set": {"purge_after": now() + RETRY}})
