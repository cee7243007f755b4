"""What becomes of a person's memberships when they delete their account.

All of them end in one transaction, by a number of commands that does not grow with them. The ways into projects that
the account had opened are closed by that; their documents are deleted MAX_STEP in a transaction.
"""

from collections import Counter
from typing import Any

from bson import ObjectId
from mongoengine import Q

from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict
from taskmanager.core.events.log import record
from taskmanager.core.security.access import Actor
from taskmanager.core.storage.querysets import Row
from taskmanager.core.storage.unit_of_work import unit_of_work
from taskmanager.features.projects.events import MemberRemoved, ProjectDeleted, ProjectPurged
from taskmanager.features.projects.members import ways_in
from taskmanager.features.projects.models import Invitation, Membership, Project, ShareLink
from taskmanager.features.users import service as users
from taskmanager.features.users.holdings import MAX_STEP


@unit_of_work
def leave_all(*, actor: Actor) -> list[ObjectId]:
    """Take the actor out of every project; return their ids. Those that are the actor's alone go to the trash.

    What is in the trash, and no owner is left to restore, is purged. Other invitations to the account's address or id
    stay, and end with time: that they change would tell those who invited.
    Raises Conflict (`user.last_owner`, with `projects`) while others would be left without an owner.
    """
    memberships = list(Membership.objects(user_id=actor.user_id))
    places = {row["_id"]: row for row in _places(memberships, actor)}
    _keep_owners([places[one.project_id] for one in memberships if one.role == "owner" and one.project_id in places])
    links = _links_by_project(actor.user_id)
    Membership.objects(id__in=[membership.id for membership in memberships]).delete()
    for membership in memberships:
        record(MemberRemoved(membership, actor, ended_links=links[membership.project_id]))
    ways_in.revoke_invitations(_invitations_to(memberships, actor), actor=actor)
    _purge_without_owner([one.project_id for one in memberships if one.role == "owner"], actor)
    _trash([project_id for project_id, row in places.items() if not row["others"]], actor)
    close_step(actor.user_id)
    return list(places)


def close(user_id: ObjectId) -> None:
    """Delete the share links of an account that is gone, and take back its invitations, MAX_STEP in a transaction.

    Safe to repeat.
    """
    while close_step(user_id) == MAX_STEP:
        pass


@unit_of_work
def close_step(user_id: ObjectId) -> int:
    """Do a step of `close`. Return the greater number of what it ended."""
    links = list(ShareLink.objects(created_by=user_id).limit(MAX_STEP))
    invitations = list(Invitation.objects(invited_by=user_id, state="pending").limit(MAX_STEP))
    ways_in.delete_links(links, actor=Actor(user_id))
    ways_in.revoke_invitations(invitations, actor=Actor(user_id))
    return max(len(links), len(invitations))


def _places(memberships: list[Membership], actor: Actor) -> list[Row]:
    """Return the projects that are not in the trash: {_id, others: one other member, owners: one other owner}."""
    ids = [membership.project_id for membership in memberships]
    look_up = [_other("others", actor, {}), _other("owners", actor, {"role": "owner"}), {"$project": _PLACE}]
    return Project.objects(id__in=ids).alive().piped(*look_up)


_PLACE = {"others": 1, "owners": 1}


def _other(name: str, actor: Actor, what: Row) -> Row:
    """Return the stage that looks one other member of each project up."""
    first = [{"$match": {"user_id": {"$ne": actor.user_id}, **what}}, {"$limit": 1}, {"$project": {"_id": 1}}]
    where = {"from": "memberships", "localField": "_id", "foreignField": "project_id", "pipeline": first, "as": name}
    return {"$lookup": where}


def _keep_owners(owned: list[Row]) -> None:
    """Raise Conflict unless each of these projects that has others has another owner. That one is written, as in
    `members.keep_an_owner`."""
    shared = [row for row in owned if row["others"]]
    stuck = [str(row["_id"]) for row in shared if not row["owners"]]
    if stuck:
        detail = "Some projects would be left without an owner: hand them over or delete them first."
        raise Conflict(detail, code="user.last_owner", projects=stuck)
    owners = [row["owners"][0]["_id"] for row in shared]
    if owners:
        Membership.objects(id__in=owners).update(inc__owner_checks=1)


def _links_by_project(user_id: ObjectId) -> Counter[Any]:
    found = ShareLink.objects(created_by=user_id).piped({"$group": {"_id": "$project_id", "number": {"$sum": 1}}})
    return Counter({row["_id"]: row["number"] for row in found})


def _invitations_to(memberships: list[Membership], actor: Actor) -> list[Invitation]:
    """Return invitations of the account, by its address or id, to projects that it belongs to already."""
    whom = Q(user_id=actor.user_id) | Q(email=users.address_of(actor.user_id))
    ids = [membership.project_id for membership in memberships]
    return list(Invitation.objects(whom, project_id__in=ids, state="pending").limit(MAX_STEP))


def _trash(project_ids: list[ObjectId], actor: Actor) -> None:
    projects = list(Project.objects(id__in=project_ids)) if project_ids else []
    Project.write_all(projects, deleted_at=now())
    for project in projects:
        record(ProjectDeleted(project, actor))


def _purge_without_owner(project_ids: list[ObjectId], actor: Actor) -> None:
    """Begin the purge of at most MAX_STEP projects; others wait in the trash until their days are over."""
    found = Project.objects.in_trash().filter(id__in=project_ids)
    rows = found.piped(_other("owners", actor, {"role": "owner"}), {"$match": {"owners": []}}, {"$limit": MAX_STEP})
    projects = list(Project.objects(id__in=[row["_id"] for row in rows])) if rows else []
    Project.write_all(projects, purged_at=now())
    for project in projects:
        record(ProjectPurged(project, actor))
