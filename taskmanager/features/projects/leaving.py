"""What becomes of a user's memberships when the account is deleted."""

from bson import ObjectId

from taskmanager.core.access import Actor
from taskmanager.core.clock import now
from taskmanager.core.errors import Conflict
from taskmanager.core.events import record
from taskmanager.core.unit_of_work import unit_of_work
from taskmanager.features.projects.departure import end_membership
from taskmanager.features.projects.events import ProjectDeleted
from taskmanager.features.projects.models import Membership, Project


@unit_of_work
def leave_all(*, actor: Actor) -> list[ObjectId]:
    """Take the actor out of every project; answers their ids. Those without another owner go to the trash.

    Invitations to the account's address or id stay, and end with time: that they change would tell those who invited.
    Raises Conflict (`user.last_owner`, with `projects`) while others would be left without an owner.
    """
    memberships = list(Membership.objects(user_id=actor.user_id))
    alive = {project.id: project for project in Project.objects(id__in=[m.project_id for m in memberships]).alive()}
    stuck = [m.project_id for m in memberships if m.project_id in alive and _would_be_left_alone(m)]
    if stuck:
        detail = "Some projects would be left without an owner: hand them over or delete them first."
        raise Conflict(detail, code="user.last_owner", projects=[str(project_id) for project_id in stuck])
    for membership in memberships:
        _leave(membership, alive.get(membership.project_id), actor)
    return list(alive)


def _would_be_left_alone(membership: Membership) -> bool:
    """Whether others are in the project and none of them owns it. Another owner is written, as in `members`."""
    others = Membership.objects(project_id=membership.project_id, user_id__ne=membership.user_id)
    if membership.role != "owner" or others.first() is None:
        return False
    return others.filter(role="owner").modify(inc__owner_checks=1) is None


def _leave(membership: Membership, project: Project | None, actor: Actor) -> None:
    end_membership(membership, actor=actor)
    if project is None:
        return
    if Membership.objects(project_id=project.id).first() is None:
        record(ProjectDeleted(project.write(deleted_at=now()), actor))
