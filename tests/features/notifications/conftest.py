"""What tests of notifications share."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from taskmanager.core.clock import now
from taskmanager.features.notifications.models import Delivery
from tests.scene import patch


@pytest.fixture
def later(deliver) -> Callable[[], None]:
    """Let all that waits be due, and deliver it."""

    def run() -> None:
        deliver()
        Delivery.objects(state="pending", leader_id=None).update(set__due_at=now(), set__claimed_until=now())
        deliver()

    return run


@pytest.fixture
def assign(scene) -> Callable[..., Any]:
    """Assign people (clients) to the task of the scene."""

    def run(*people: Any, by: Any = None) -> Any:
        ids = [str(person.user.id) for person in people]
        return patch(by or scene.owner, scene.task_path, {"assignee_ids": ids})

    return run


def quiet_now() -> dict[str, str]:
    """Quiet hours from an hour ago until in some hours: a whole day but a minute would leave that minute out."""
    return {"start": f"{ago(hours=1):%H:%M}", "end": f"{ago(hours=-4):%H:%M}"}


def prefer(client, **policies: Any) -> None:
    answer = patch(client, "/api/v1/notifications/preferences", policies)
    assert answer.status_code == 200, answer.text


def told(client) -> list[tuple[str, str]]:
    """(kind, title) of what the person was told within the service, the oldest first."""
    answer = client.get("/api/v1/notifications?limit=100")
    assert answer.status_code == 200, answer.text
    return [(item["kind"], item["title"]) for item in answer.json["items"]]


def ago(**how: float) -> Any:
    return now() - timedelta(**how)
