"""A project with people in every role: what most tests of the API begin with."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory


class Scene:
    """One project of `owner` with one task; others are logged in when they are first asked for."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.owner = sign_in(app, UserFactory())
        self.project: Project = ProjectFactory(owner=self.owner.user)  # type: ignore[attr-defined]
        self.task: Task = TaskFactory(project=self.project, title="Write the notes")
        self.project_path = f"/api/v1/projects/{self.project.id}"
        self.tasks_path = f"{self.project_path}/tasks"
        self.members_path = f"{self.project_path}/members"
        self.task_path = f"/api/v1/tasks/{self.task.id}"

    def member(self, role: str = "member") -> FlaskClient:
        """A new person with this role in the project, logged in."""
        user = UserFactory()
        MembershipFactory(project=self.project, user=user, role=role)
        return sign_in(self.app, user)

    def who(self, name: str) -> FlaskClient:
        """`anonymous`, `stranger`, `owner`, or a new person with a role."""
        if name == "anonymous":
            return self.app.test_client()
        if name == "stranger":
            return sign_in(self.app, UserFactory())
        return self.owner if name == "owner" else self.member(name)

    def lists(self) -> list[str]:
        """Every list that the owner can read, and the single things."""
        return [
            "/api/v1/projects?sort=-created_at",
            "/api/v1/tasks?sort=-updated_at",
            "/api/v1/tasks?sort=due_at",
            f"{self.tasks_path}?sort=-due_at",
            f"{self.tasks_path}?sort=-created_at",
            f"{self.members_path}?sort=-created_at",
            self.project_path,
            "/api/v1/users/me",
        ]


@pytest.fixture
def scene(app: Flask) -> Scene:
    return Scene(app)


def patch(client: FlaskClient, path: str, body: Any, **headers: str) -> Any:
    """PATCH with `If-Match: *` unless told otherwise."""
    return client.patch(path, json=body, headers={"If-Match": "*"} | headers)
