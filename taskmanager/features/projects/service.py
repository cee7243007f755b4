"""Use cases of projects."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from bson import ObjectId
from mongoengine.errors import NotUniqueError
from pymongo import ReturnDocument

from taskmanager.core import fractional, quotas
from taskmanager.core.clock import advanced, now
from taskmanager.core.errors import Conflict, NotFound, ScopeMissing
from taskmanager.core.events.log import record
from taskmanager.core.filters.nodes import GivenFilter
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.querysets import BaseQuerySet
from taskmanager.core.storage.unit_of_work import hold_advisory_lock, unit_of_work
from taskmanager.features.projects import hierarchy
from taskmanager.features.projects.events import ProjectCreated, ProjectDeleted, ProjectUpdated
from taskmanager.features.projects.filtering import names as filter_names
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.projects.permissions import ROLES, ProjectAction, granted
from taskmanager.features.projects.trash import service as trash
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.users import service as users

_COUNTERS = ("last_number", "last_position", "task_count")


@unit_of_work
def create(data: dict[str, Any], *, actor: Actor) -> Project:
    """Make a project that the actor owns. Its default time zone is the actor's.

    Raises Conflict (`project.key_taken`, `quota.projects`, `quota.memberships`), Invalid (see
    `hierarchy.check_parent`), ScopeMissing for a token that is limited to one project.
    """
    if actor.one_project:
        raise ScopeMissing("An API token for one project cannot make another.")
    project = Project(id=ObjectId(), **{"timezone": actor.timezone} | data)
    if project.parent_id:
        hierarchy.check_parent(project, project.parent_id, actor)
    project.position = fractional.at(int(project.created_at.timestamp() * 1000))
    try:
        project.save(force_insert=True)
    except NotUniqueError:
        raise Conflict(f"The key {project.key} is taken.", code="project.key_taken") from None
    Membership(project_id=project.id, user_id=actor.user_id, role="owner").save(force_insert=True)
    users.raise_access_versions([actor.user_id])
    record(ProjectCreated(project, actor))
    return project


def visible(actor: Actor, condition: GivenFilter | None = None, *, deleted: bool = False) -> BaseQuerySet:
    """Return the actor's projects that match a filter; with `deleted`, the deleted ones that the actor may restore."""
    found = trash.restorable_by(actor) if deleted else Project.objects.visible_to(actor)
    return found.matching(filter_names.bind(condition, actor)) if condition else found


def get(project_id: ObjectId, *, actor: Actor, fields: list[str] | None = None, deleted: bool = False) -> Row:
    """Return one project; with `deleted`, a deleted one that the actor may restore. Raises NotFound."""
    return visible(actor, deleted=deleted).row(project_id, fields)


def permissions(project_id: ObjectId, *, actor: Actor) -> dict[str, Any]:
    """Return the actor's role and permissions in a project, and those of each role. Raises NotFound.

    {role, permissions: [name], roles: {role: [name]}}.
    """
    role = actor.role_in(project_id)
    if role is None:
        raise NotFound
    return {"role": role, "permissions": granted(role), "roles": {name: granted(name) for name in ROLES}}


@unit_of_work
def update(project_id: ObjectId, changes: dict[str, Any], *, if_match: IfMatch, actor: Actor) -> Project:
    """Change a project. Raises NotFound, Forbidden, PreconditionFailed, Invalid (see `hierarchy.check_parent`)."""
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.EDIT, project)
    project.check_revision(if_match)
    differences = project.differences(changes)
    if not differences:
        return project
    if "parent_id" in differences:
        hierarchy.check_parent(project, changes["parent_id"], actor)
    project = project.write(**changes)
    record(ProjectUpdated(project, actor, differences))
    return project


@unit_of_work
def delete(project_id: ObjectId, *, if_match: IfMatch, actor: Actor) -> None:
    """Put a project into the trash: only its owners can see it there, without its content; its key becomes free.

    Raises NotFound, Forbidden, PreconditionFailed.
    """
    project = Project.objects.visible_to(actor).one(project_id)
    authorize(actor, ProjectAction.DELETE, project)
    project.check_revision(if_match)
    project.write(deleted_at=now())
    hierarchy.release_children(project, actor)
    member_ids = list(Membership.objects(project_id=project.id).scalar("user_id"))
    users.raise_access_versions(member_ids)
    record(ProjectDeleted(project, actor, member_ids=member_ids))


class TaskKey(NamedTuple):
    """The key of a new task, its position in the manual order, and the time of its creation."""

    key: str
    position: str
    created_at: datetime


class TaskRules(NamedTuple):
    """The settings of a project that its tasks follow."""

    workflow: Workflow
    timezone: str


def order_writers(*project_ids: ObjectId) -> None:
    """Let the open unit of work wait, before its transaction begins, for others that raise these projects' counters.

    Each event of a project does so, and `allocate_keys`, `next_position` and `add_usage`. A use case calls it as soon
    as it knows the projects and that it will write: when others are there, it is run again after them.
    """
    for project_id in sorted(set(project_ids)):
        hold_advisory_lock(f"project:{project_id}")


def allocate_keys(project_id: ObjectId, number: int = 1) -> tuple[Project, list[TaskKey]]:
    """Raise a project's counters for `number` new tasks, in the open transaction.

    Return the project, and the key, position and time of creation of each task. A time is later than that of every
    earlier task, whatever the clocks of the processes say: many tasks get the last milliseconds until now. Transactions
    that raise the same counters commit one after the other.
    Raises NotFound, Conflict (`quota.tasks`).
    """
    order_writers(project_id)
    raised = {field: {"$add": [{"$ifNull": [f"${field}", 0]}, number]} for field in _COUNTERS}
    first_at = advanced("last_created_at", now() - timedelta(milliseconds=number - 1), by_ms=1)
    update = raised | {"last_created_at": {"$add": [first_at, number - 1]}}
    row = Project._get_collection().find_one_and_update(
        {"_id": project_id, "deleted_at": None}, [{"$set": update}], return_document=ReturnDocument.AFTER
    )
    if row is None:
        raise NotFound
    quotas.check("tasks", row["task_count"], project_id)
    first, lowest = row["last_number"] - number + 1, row["last_position"] - number + 1
    begin = row["last_created_at"] - timedelta(milliseconds=number - 1)
    places = [
        TaskKey(f"{row['key']}-{first + i}", fractional.at(lowest + i), begin + timedelta(milliseconds=i))
        for i in range(number)
    ]
    return Project._from_son(row), places


def add_usage(project_id: ObjectId, *, tasks: int = 0, attachment_bytes: int = 0) -> None:
    """Add to a project's numbers of tasks and attachment bytes (negative numbers subtract), in the open transaction.

    Raises Conflict (`quota.project_attachment_bytes`).
    """
    order_writers(project_id)
    increments = {"inc__task_count": tasks, "inc__attachment_bytes": attachment_bytes}
    project = Project.objects(id=project_id).only("task_count", "attachment_bytes").modify(new=True, **increments)
    if project is not None and attachment_bytes > 0:
        quotas.check("project_attachment_bytes", project.attachment_bytes, project_id)


def next_position(project_id: ObjectId) -> int:
    """Return the number of the position after a project's last task, in the open transaction. Raises NotFound."""
    order_writers(project_id)
    project = Project.objects(id=project_id).alive().only("last_position").modify(new=True, inc__last_position=1)
    if project is None:
        raise NotFound
    return project.last_position


def rules_of(project_ids: Iterable[ObjectId]) -> dict[ObjectId, TaskRules]:
    """Return what tasks of these projects follow, by one query. Raises NotFound."""
    wanted = set(project_ids)
    found = Project.objects(id__in=wanted).only("statuses", "timezone") if wanted else ()
    rules = {project.id: TaskRules(project.workflow, project.timezone) for project in found}
    if len(rules) < len(wanted):
        raise NotFound
    return rules


def name_of(project_id: ObjectId) -> str:
    """Return the name of a project, with its key. Raises NotFound."""
    project = Project.objects.only("key", "name").one(project_id)
    return f"{project.name} ({project.key})"


def id_of_key(key: str) -> ObjectId | None:
    """Return the id of the project with a key; None when there is none or it is deleted."""
    found = Project.objects(key=key).alive().only("id").first()
    return found and found.id


def timezone_of(project_id: ObjectId) -> str:
    """Return the time zone for whole days and floating times of a project. Raises NotFound."""
    return str(Project.objects.only("timezone").one(project_id).timezone)


def load_project_roles(
    user_ids: Iterable[ObjectId],
) -> tuple[dict[ObjectId, dict[ObjectId, str]], frozenset[ObjectId]]:
    """Return the roles of accounts in their projects that are not in the trash, and the ids of archived projects.

    {user id: {project id: role}}, without accounts that have none. Takes two queries.
    """
    found = list(Membership.objects(user_id__in=list(user_ids)).scalar("user_id", "project_id", "role"))
    project_ids = list({project_id for _, project_id, _ in found})
    alive = dict(Project.objects(id__in=project_ids).alive().scalar("id", "archived_at"))
    roles: dict[ObjectId, dict[ObjectId, str]] = {}
    for user_id, project_id, role in found:
        if project_id in alive:
            roles.setdefault(user_id, {})[project_id] = role
    return roles, frozenset(project_id for project_id, archived_at in alive.items() if archived_at)
