"""Actors for tests."""

from typing import Any

from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.models import Membership
from taskmanager.features.users.models import User


def actor_of(user: User) -> Actor:
    """Return the actor of a request of this user with the present roles; call it again after a change of roles."""
    roles, archived = projects.load_project_roles([user.id])
    return Actor(user.id, user.role, None, roles.get(user.id, {}), archived=archived)


def owner_of(project_id: ObjectId) -> Actor:
    """Return the project's first owner."""
    membership: Any = Membership.objects(project_id=project_id, role="owner").order_by("id").first()
    return actor_of(User.objects.one(membership.user_id))
