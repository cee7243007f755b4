"""A stream of assignments, made through the services."""

from collections.abc import Iterator

from taskmanager.features.tasks import service as tasks
from taskmanager.features.users.models import User
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory, owner_of


class Assignments:
    """A project with a few members, who are assigned one task after the other."""

    def __init__(self, people: int = 5) -> None:
        self.project = ProjectFactory()
        self.people: list[User] = UserFactory.create_batch(people)
        for user in self.people:
            MembershipFactory(project=self.project, user=user)
        self.made = 0

    def make(self, number: int) -> Iterator[int]:
        """Make so many; each is acknowledged when it is yielded, and owes one mail."""
        for _ in range(number):
            task = TaskFactory(project=self.project)
            assignee = self.people[self.made % len(self.people)]
            tasks.update(task.id, {"assignee_ids": [assignee.id]}, if_match=None, actor=owner_of(self.project.id))
            self.made += 1
            yield self.made
