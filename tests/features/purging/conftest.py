"""A receiver of webhooks, and a project that has something in every collection."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import bson
import pytest

from taskmanager.core.clock import now
from taskmanager.core.storage.database import database
from taskmanager.features.projects.models import Project
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory
from tests.features.files import attach
from tests.features.matrix import FIELD, REMINDER, V1, WORKFLOW
from tests.features.webhooks.conftest import _receiver, receiver  # noqa: F401 fixtures

ANY = {"If-Match": "*"}


class Everything:
    """Makes and names what a project may have, all of it by the API."""

    def __init__(self, scene: Any, url: str, deliver: Callable[[], int]) -> None:
        self.scene, self.url, self.deliver, self.owner = scene, url, deliver, scene.owner
        self.member = scene.member("manager")
        self.guest = UserFactory()
        self.kept = ProjectFactory(owner=self.owner.user)
        MembershipFactory(project=self.kept, user=self.member.user)
        self.kept_task = TaskFactory(project=self.kept, title="Stays")
        attach(self.owner, f"{V1}/tasks/{self.kept_task.id}", b"stays")
        self.post(f"{V1}/webhooks", {"url": self.url, "events": ["comment.*", "project.*"]})
        self.deliver()
        self.before = contents()
        self.project = ProjectFactory(owner=self.owner.user)
        self.path = f"{V1}/projects/{self.project.id}"
        MembershipFactory(project=self.project, user=self.member.user, role="manager")

    def make(self) -> None:
        """Fill the project."""
        self._settings()
        self._ways_in()
        self._tasks()
        self.deliver()

    def post(self, path: str, body: Any, client: Any = None) -> Any:
        answer = (client or self.owner).post(path, json=body)
        assert answer.status_code < 300, answer.text
        return answer.json

    def _settings(self) -> None:
        self.post(f"{self.path}/labels", {"name": "urgent"})
        self.post(f"{self.path}/custom-fields", FIELD)
        assert self.owner.put(f"{self.path}/statuses", json=WORKFLOW, headers=ANY).status_code == 200
        self.post(f"{self.path}/views", {"name": "Ours", "shared": True})
        self.post(f"{self.path}/views", {"name": "Mine"}, self.member)
        assert self.owner.patch(f"{self.path}/notifications", json={"level": "all"}, headers=ANY).status_code == 200

    def _ways_in(self) -> None:
        self.webhook = self.post(f"{self.path}/webhooks", {"url": self.url, "events": ["*"]})
        self.post(f"{V1}/webhooks/{self.webhook['id']}/test", {})
        self.post(f"{self.path}/share-links", {"role": "viewer"})
        self.post(f"{self.path}/invitations", {"email": "guest@example.com", "role": "viewer"})
        self.post(f"{self.path}/members", {"user_id": str(self.guest.id), "role": "viewer"})
        ends = f"{now() + timedelta(days=9):%Y-%m-%dT%H:%M:%SZ}"
        token = {"name": "T", "scopes": ["tasks:read"], "project_id": str(self.project.id), "expires_at": ends}
        self.post(f"{V1}/users/me/tokens", token, self.member)

    def _tasks(self) -> None:
        tasks = f"{self.path}/tasks"
        assigned = {"title": "Assigned", "due": "2031-01-01", "assignee_ids": [str(self.member.user.id)]}
        self.task = self.post(tasks, assigned)
        path = f"{V1}/tasks/{self.task['id']}"
        self.post(tasks, {"title": "Part", "parent_id": self.task["id"]})
        self.post(f"{path}/comments", {"text": f"Look, @{self.member.user.id}"})
        self.post(f"{path}/reminders", REMINDER)
        assert attach(self.member, path, b"goes").status_code == 201
        self.post(f"{path}/relations", {"kind": "blocks", "task_id": str(self.kept_task.id)})
        trashed = self.post(tasks, {"title": "Trashed"})
        self.post(tasks, {"title": "Trashed part", "parent_id": trashed["id"]})
        attach(self.owner, f"{V1}/tasks/{trashed['id']}", b"goes too")
        assert self.owner.delete(f"{V1}/tasks/{trashed['id']}", headers=ANY).status_code == 204

    def delete(self) -> None:
        assert self.owner.delete(self.path, headers=ANY).status_code == 204
        self.deliver()

    def begin_purge(self) -> None:
        answer = self.owner.delete(f"{V1}/trash/projects/{self.project.id}", headers=ANY)
        assert answer.status_code == 204, answer.text

    def is_gone(self) -> bool:
        return not Project.objects(id=self.project.id)


def contents() -> dict[tuple[str, Any], dict[str, Any]]:
    """Everything that is stored: {(collection, id): document}."""
    names = [name for name in database().list_collection_names() if not name.startswith("system.")]
    return {(name, str(row["_id"])): row for name in names for row in database()[name].find()}


def naming(item_id: Any) -> set[str]:
    """The collections in which a document has this id in it, as an id or as text."""
    forms = item_id.binary, str(item_id).encode()
    return {name for (name, _), row in contents().items() if any(form in bson.encode(row) for form in forms)}


@pytest.fixture
def everything(scene, receiver, deliver) -> Everything:  # noqa: F811
    made = Everything(scene, f"{receiver.url}/ok", deliver)
    made.make()
    return made
