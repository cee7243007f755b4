"""Deletion of an account's memberships, when the user deletes the account.

All memberships end in one transaction, by a number of commands that does not depend on how many there are. The access
to projects that the account gave to others ends with them; its documents are deleted MAX_STEP in a transaction.
"""

from collections import Counter

from bson import ObjectId
from mongoengine import Q

from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.orders import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import MemberRemoved, ProjectDeleted, ProjectPurged
from taskmanager.features.projects.members import ways_in
from taskmanager.features.projects.models import Invitation, Membership, Project, ShareLink
from taskmanager.features.users import service as users
from taskmanager.features.users.holdings import MAX_STEP


@unit_of_work
def leave_all(*, actor: Actor) -> list[ObjectId]:
    """Remove the actor from every project. Return the ids of the projects.

    Projects without other members go to the trash; projects in the trash without another owner are purged. Invitations
    of the account, by address or id, to other projects stay until they expire: a change would reveal to the inviters
    that there was an account.
    Raises Conflict (`user.last_owner`, with `projects`) while others would be left without an owner.
    """
    memberships = list(Membership.objects(user_id=actor.user_id))
    owned_ids = [membership.project_id for membership in memberships if membership.role == "owner"]
    projects = {row["_id"]: row for row in _projects_with_others(memberships, actor)}
    _keep_owners([projects[project_id] for project_id in owned_ids if project_id in projects])
    links = _links_by_project(actor.user_id)
    Membership.objects(id__in=[membership.id for membership in memberships]).delete()
    for membership in memberships:
        record(MemberRemoved(membership, actor, ended_links=links[membership.project_id]))
    ways_in.revoke_invitations(_invitations_to(memberships, actor), actor=actor)
    _purge_without_owner(owned_ids, actor)
    _trash([project_id for project_id, row in projects.items() if not row["others"]], actor)
    close_step(actor.user_id)
    return list(projects)


def close(user_id: ObjectId) -> None:
    """Delete the share links of a deleted account, and revoke its invitations, MAX_STEP in a transaction.

    Safe to repeat.
    """
    while close_step(user_id) == MAX_STEP:
        pass


@unit_of_work
def close_step(user_id: ObjectId) -> int:
    """Do one step of `close`. Return the greater of the two numbers of documents that it ended."""
    links = list(ShareLink.objects(created_by=user_id).limit(MAX_STEP))
    invitations = list(Invitation.objects(invited_by=user_id, state="pending").limit(MAX_STEP))
    ways_in.delete_links(links, actor=Actor(user_id))
    ways_in.revoke_invitations(invitations, actor=Actor(user_id))
    return max(len(links), len(invitations))


def _projects_with_others(memberships: list[Membership], actor: Actor) -> list[Row]:
    """Return the projects that are not in the trash: {_id, others: [one other member], owners: [one other owner]}."""
    ids = [membership.project_id for membership in memberships]
    others, owners = _lookup_other("others", actor, {}), _lookup_other("owners", actor, {"role": "owner"})
    rows: list[Row] = (
        Project.objects(id__in=ids).alive().piped(others, owners, {"$project": {"others": 1, "owners": 1}})
    )
    return rows


def _lookup_other(name: str, actor: Actor, condition: Row) -> Row:
    """Return the $lookup stage for one other membership of each project."""
    other = {"user_id": {"$ne": actor.user_id}, **condition}
    first = [{"$match": other}, {"$limit": 1}, {"$project": {"_id": 1}}]
    where = {"from": "memberships", "localField": "_id", "foreignField": "project_id", "pipeline": first, "as": name}
    return {"$lookup": where}


def _keep_owners(owned: list[Row]) -> None:
    """Raise Conflict unless each of these projects with other members has another owner.

    The other owner's membership is written, as in `members.keep_an_owner`.
    """
    shared = [row for row in owned if row["others"]]
    ownerless = [str(row["_id"]) for row in shared if not row["owners"]]
    if ownerless:
        detail = "Some projects would be left without an owner: hand them over or delete them first."
        raise Conflict(detail, code="user.last_owner", projects=ownerless)
    owners = [row["owners"][0]["_id"] for row in shared]
    if owners:
        Membership.objects(id__in=owners).update(inc__owner_checks=1)


def _links_by_project(user_id: ObjectId) -> Counter[ObjectId]:
    """Return the number of the account's share links in each project."""
    found = ShareLink.objects(created_by=user_id).piped({"$group": {"_id": "$project_id", "number": {"$sum": 1}}})
    return Counter({row["_id"]: row["number"] for row in found})


def _invitations_to(memberships: list[Membership], actor: Actor) -> list[Invitation]:
    """Return the pending invitations of the account, by address or id, to projects that it is a member of."""
    invited = Q(user_id=actor.user_id) | Q(email=users.address_of(actor.user_id))
    ids = [membership.project_id for membership in memberships]
    return list(Invitation.objects(invited, project_id__in=ids, state="pending").limit(MAX_STEP))


def _trash(project_ids: list[ObjectId], actor: Actor) -> None:
    projects = list(Project.objects(id__in=project_ids)) if project_ids else []
    Project.write_all(projects, deleted_at=now())
    for project in projects:
        record(ProjectDeleted(project, actor))


def _purge_without_owner(project_ids: list[ObjectId], actor: Actor) -> None:
    """Begin the purge of at most MAX_STEP projects without another owner; the rest is purged after its time."""
    found = Project.objects.in_trash().filter(id__in=project_ids)
    rows = found.piped(
        _lookup_other("owners", actor, {"role": "owner"}), {"$match": {"owners": []}}, {"$limit": MAX_STEP}
    )
    projects = list(Project.objects(id__in=[row["_id"] for row in rows])) if rows else []
    Project.write_all(projects, purged_at=now())
    member_ids = _member_ids([project.id for project in projects]) if projects else {}
    for project in projects:
        record(ProjectPurged(project, actor, member_ids=member_ids.get(project.id, ())))


def _member_ids(project_ids: list[ObjectId]) -> dict[ObjectId, list[ObjectId]]:
    """Return the members of projects, without the actor, whose memberships have ended: {project id: user ids}."""
    found: dict[ObjectId, list[ObjectId]] = {}
    for project_id, user_id in Membership.objects(project_id__in=project_ids).scalar("project_id", "user_id"):
        found.setdefault(project_id, []).append(user_id)
    return found
