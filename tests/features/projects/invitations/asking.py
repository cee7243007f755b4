"""Joining by account: what is asked, and what came of it."""

from taskmanager.features.projects.models import Membership
from taskmanager.features.users.models import User


def ask(scene, by=None, role="member", **whom):
    return (by or scene.owner).post(scene.members_path, json={"role": role, **whom})


def by_id(person):
    return {"user_id": str(person.user.id)}


def unprove(person):
    User.objects(id=person.user.id).update(unset__email_verified_at=True)


def roles(scene):
    return {row.user_id: row.role for row in Membership.objects(project_id=scene.project.id)}
