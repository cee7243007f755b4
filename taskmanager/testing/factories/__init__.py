"""Factories of test data; they call the services, so that the data is what a request of a client would store."""

from taskmanager.testing.factories.actors import actor_of, owner_of
from taskmanager.testing.factories.things import MembershipFactory, ProjectFactory, TaskFactory, UserFactory, task_row

__all__ = ["MembershipFactory", "ProjectFactory", "TaskFactory", "UserFactory", "actor_of", "owner_of", "task_row"]
