"""Things to test with, made through the services, so that they are what a client would have made."""

from taskmanager.testing.factories.actors import actor_of, owner_of
from taskmanager.testing.factories.things import MembershipFactory, ProjectFactory, TaskFactory, UserFactory, task_row

__all__ = ["MembershipFactory", "ProjectFactory", "TaskFactory", "UserFactory", "actor_of", "owner_of", "task_row"]
