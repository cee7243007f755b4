"""Use cases of memberships."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bson import ObjectId
from mongoengine.errors import NotUniqueError

from taskmanager.core.errors import Conflict, Forbidden, Invalid, NotFound, ScopeMissing
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.security.permissions import authorize
from taskmanager.core.storage.documents import IfMatch
from taskmanager.core.storage.listings import Described
from taskmanager.core.storage.orders import Order, Row
from taskmanager.core.storage.querysets import BaseQuerySet, Page
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import (
    MemberAdded,
    MemberChanged,
    MemberProfileChanged,
    ProjectTransferred,
)
from taskmanager.features.projects.models import Membership, Project, check_room_of_owner
from taskmanager.features.projects.permissions import ProjectAction, at_least
from taskmanager.features.users import service as users


@unit_of_work
def join(project_id: ObjectId, user_id: ObjectId, role: str, *, actor: Actor) -> Membership:
    """Store a membership. The caller has checked that the account accepted, or need not accept (see `joining`).

    Raises Conflict (`member.exists`, `quota.members`, `quota.memberships`, `quota.projects`).
    """
    membership = Membership(project_id=project_id, user_id=user_id, role=role)
    try:
        membership.save(force_insert=True)
    except NotUniqueError:
        raise Conflict("This account is a member already.", code="member.exists") from None
    users.raise_access_versions([user_id])
    record(MemberAdded(membership, actor))
    return membership


@dataclass(frozen=True)
class Members:
    """The memberships of a project with the members' public profiles, by pages."""

    project_id: ObjectId

    def page(
        self, order: Order, limit: int, *, after: Sequence[Any] | None = None, fields: Iterable[str] | None = None
    ) -> Page:
        """Return a page. Ordered by name, it reads the accounts first and then their memberships."""
        if order.fields[0][0] != "name":
            return self._described().page(order, limit, after=after, fields=fields)
        found = users.find_by_name(ids_of(self.project_id), order, limit, after)
        user_ids = [row["_id"] for row in found.rows]
        rows = {row["user_id"]: row for row in self._stored().filter(user_id__in=user_ids).as_pymongo()}
        return Page(with_profiles([rows[user_id] for user_id in user_ids if user_id in rows]), found.next_key)

    def total(self) -> int | Row:
        """Return how many members the project has."""
        return self._stored().total()

    def _described(self) -> Described:
        return Described(self._stored(), with_profiles, needed=("user_id",))

    def _stored(self) -> BaseQuerySet:
        return Membership.objects(project_id=self.project_id)


def visible(project_id: ObjectId, actor: Actor) -> Members:
    """Return the members of a project. Raises NotFound unless the actor may see the project."""
    if actor.role_in(project_id) is None:
        raise NotFound
    return Members(project_id)


def get(project_id: ObjectId, user_id: ObjectId, *, actor: Actor) -> Row:
    """Return one membership with the member's public profile. Raises NotFound."""
    return with_profiles([one(project_id, user_id, actor).as_row()])[0]


@unit_of_work
def change_role(project_id: ObjectId, user_id: ObjectId, role: str, *, if_match: IfMatch, actor: Actor) -> Row:
    """Give a member another role.

    Raises NotFound, Forbidden, ScopeMissing, PreconditionFailed, Conflict (`project.last_owner`, `quota.projects`).
    """
    membership = one(project_id, user_id, actor)
    authorize(actor, ProjectAction.MANAGE_MEMBERS, membership)
    check_may_take(actor, project_id, membership.role)
    check_may_give(actor, project_id, role)
    membership.check_revision(if_match)
    if membership.role == "owner" != role:
        keep_an_owner(project_id, user_id)
    changes = membership.differences({"role": role})
    if changes:
        if role == "owner":
            check_room_of_owner(user_id)
        membership = membership.write(role=role)
        users.raise_access_versions([user_id])
        record(MemberChanged(membership, actor, changes))
    return with_profiles([membership.as_row()])[0]


@unit_of_work
def transfer(project_id: ObjectId, user_id: ObjectId, *, actor: Actor) -> Row:
    """Make another member the owner and the actor a manager. Return the new owner's membership.

    Raises NotFound, Forbidden, Invalid (`project.not_a_member`) for an account that is no member or not active.
    Both memberships are written, so a concurrent transfer or removal of a member conflicts with this one.
    """
    own = one(project_id, actor.user_id, actor)
    authorize(actor, ProjectAction.TRANSFER, own)
    if own.role != "owner":  # another transfer committed after the actor's rights were loaded
        raise Forbidden(permission=ProjectAction.TRANSFER.value)
    other = Membership.objects(project_id=project_id, user_id=user_id).first()
    if other is None or other.id == own.id or users.find_id(user_id=user_id) is None:
        raise Invalid("body.user_id", "Only another member can become the owner.", code="project.not_a_member")
    check_room_of_owner(user_id)
    other = _set_role(other, "owner", actor)
    _set_role(own, "manager", actor)
    users.raise_access_versions([actor.user_id, user_id])
    owners = {"owner_id": [actor.user_id, user_id]}
    record(ProjectTransferred(Project.objects.one(project_id), actor, owners))
    return with_profiles([other.as_row()])[0]


def check_may_give(actor: Actor, project_id: ObjectId, role: str) -> None:
    """Raise Forbidden (`member.role_too_high`) for a role above the actor's own.

    Raises ScopeMissing when an API token gives the role owner: only a session may.
    """
    check_may_take(actor, project_id, role)
    if role == "owner" and actor.scopes is not None:
        raise ScopeMissing("An API token cannot give the role owner: log in and use a session.")


def check_may_take(actor: Actor, project_id: ObjectId, role: str) -> None:
    """Raise Forbidden (`member.role_too_high`) for a role above the actor's own."""
    if not at_least(role, actor.role_in(project_id)):
        raise Forbidden("You cannot give or take a role above your own.", code="member.role_too_high")


def are_members(project_id: ObjectId, user_ids: list[ObjectId]) -> bool:
    """Return whether all of these users are members of the project."""
    wanted = set(user_ids)
    found = Membership.objects.narrowed(project_id=project_id, user_id={"$in": list(wanted)})
    return {row["user_id"] for row in found.rows(len(wanted), ["user_id"])} == wanted if wanted else True


def share_project(user_id: ObjectId, *, actor: Actor) -> bool:
    """Return whether this account and the actor are members of the same project, archived ones included."""
    found = Membership.objects(user_id=user_id, project_id__in=list(actor.project_roles))
    return found.only("id").first() is not None


def has_others(project_id: ObjectId, user_id: ObjectId) -> bool:
    """Return whether the project has a member other than this user."""
    return Membership.objects(project_id=project_id, user_id__ne=user_id).only("id").first() is not None


def projects_with(user_ids: list[ObjectId], project_ids: list[ObjectId]) -> list[ObjectId]:
    """Return those of these projects that any of these users is a member of."""
    found = Membership.objects(project_id__in=project_ids, user_id__in=user_ids)
    return list(found.distinct("project_id")) if user_ids else []


def ids_of(
    project_id: ObjectId, among: list[ObjectId] | None = None, *, since: datetime | None = None
) -> list[ObjectId]:
    """Return the user ids of a project's members.

    With `among`, only those in it; with `since`, only members that joined by then.
    """
    found = Membership.objects(project_id=project_id, **({"user_id__in": among} if among is not None else {}))
    return list((found.filter(created_at__lte=since) if since else found).scalar("user_id"))


def member_ids_among(project_id: ObjectId, user_ids: list[ObjectId]) -> list[ObjectId]:
    """Return those of these users that are members of the project, in the given order."""
    known = set(Membership.objects(project_id=project_id, user_id__in=user_ids).scalar("user_id")) if user_ids else ()
    return [user_id for user_id in user_ids if user_id in known]


def one(project_id: ObjectId, user_id: ObjectId, actor: Actor) -> Membership:
    """Return a membership that the actor may see. Raises NotFound."""
    membership = Membership.objects.visible_to(actor).filter(project_id=project_id, user_id=user_id).first()
    if membership is None:
        raise NotFound
    return membership


def keep_an_owner(project_id: ObjectId, user_id: ObjectId) -> None:
    """Raise Conflict (`project.last_owner`) unless there is another owner.

    The other owner's membership is written, not only read: if two owners leave at the same moment, the two
    transactions have a write conflict and one is refused.
    """
    others = Membership.objects(project_id=project_id, role="owner", user_id__ne=user_id)
    if others.modify(inc__owner_checks=1) is None:
        raise Conflict("A project needs an owner: make another member an owner first.", code="project.last_owner")


def _set_role(membership: Membership, role: str, actor: Actor) -> Membership:
    changes = membership.differences({"role": role})
    membership = membership.write(role=role)
    if changes:
        record(MemberChanged(membership, actor, changes))
    return membership


def note_profile(user_id: ObjectId) -> None:
    """Record in each project of a user that their public profile has changed. Safe to repeat."""
    for membership in Membership.objects(user_id=user_id):
        record(MemberProfileChanged(membership, None))


def with_profiles(rows: Sequence[Row]) -> list[Row]:
    """Return memberships with the public profiles of the members."""
    profiles = users.public_profiles(row["user_id"] for row in rows)
    return [{**row, "user": profiles.get(row["user_id"])} for row in rows]
