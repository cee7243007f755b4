"""Factories of accounts, projects, memberships and tasks."""

from functools import cache
from itertools import count
from typing import Any

from bson import ObjectId
from factory.base import Factory
from factory.declarations import Sequence, SubFactory

from taskmanager.core import fractional
from taskmanager.core.configuration import settings
from taskmanager.core.text import plain_address
from taskmanager.features.projects import service as projects
from taskmanager.features.projects.members import service as members
from taskmanager.features.projects.models import Membership, Project
from taskmanager.features.projects.workflow import Workflow
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import passwords, service as users
from taskmanager.features.users.models import User
from taskmanager.testing.factories.actors import actor_of, owner_of

PASSWORD = "correct horse battery staple"  # noqa: S105 of users of tests
_positions = count(1)


class UserFactory(Factory[User]):
    """An account with the password PASSWORD."""

    class Meta:
        model = User

    email = Sequence(lambda number: f"person{number}@example.com")
    name = Sequence(lambda number: f"Person {number}")
    password = PASSWORD

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **fields: Any) -> User:
        known: dict[str, Any] = {
            "verified": True,
            "password_hash": _hash(fields.pop("password"), settings.current().bcrypt_cost),
        }
        return users.create(**known | fields | {"email": plain_address(fields["email"])})


@cache
def _hash(password: str, cost: int) -> str:
    """Return the hash for all users with this password: one of its own for each would take longer than the rest."""
    return passwords.make_hash(password)


class ProjectFactory(Factory[Project]):
    """A project of `owner`."""

    class Meta:
        model = Project

    owner = SubFactory(UserFactory)
    key = Sequence(lambda number: f"P{number}")
    name = Sequence(lambda number: f"Project {number}")

    @classmethod
    def _create(cls, model_class: type[Project], *args: Any, owner: User, **fields: Any) -> Project:
        return projects.create(fields, actor=actor_of(owner))


class MembershipFactory(Factory[Membership]):
    """`user` as a member of `project`, added by its owner. All tests make members by this factory.

    There is no invitation: tests of invitations use the API.
    """

    class Meta:
        model = Membership

    project = SubFactory(ProjectFactory)
    user = SubFactory(UserFactory)
    role = "member"

    @classmethod
    def _create(cls, model_class: type[Membership], *args: Any, project: Project, user: User, role: str) -> Membership:
        return members.join(project.id, user.id, role, actor=owner_of(project.id))


def task_row(project_id: ObjectId, **fields: Any) -> Task:
    """Return a task without calling a service, for tests that need many; the caller inserts it."""
    status = fields.pop("status", "open")
    task = Task(
        **{
            "id": ObjectId(),
            "project_id": project_id,
            "reporter_id": ObjectId(),
            "key": str(ObjectId()),
            "title": "A task",
            "status": status,
            "status_group": Workflow().group_of(status),
            "position": fractional.at(next(_positions)),
            **fields,
        }
    )
    task.clean()
    return task


class TaskFactory(Factory[Task]):
    """A task in `project`, made by its owner; `assignees` must be members."""

    class Meta:
        model = Task

    project = SubFactory(ProjectFactory)
    title = Sequence(lambda number: f"Task {number}")
    assignees: tuple[User, ...] = ()

    @classmethod
    def _create(
        cls, model_class: type[Task], *args: Any, project: Project, assignees: tuple[User, ...], **fields: Any
    ) -> Task:
        data = {**fields, "assignee_ids": [user.id for user in assignees]}
        return tasks.create(project.id, data, actor=owner_of(project.id))
