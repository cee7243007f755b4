"""The zone that the service chose for a due, from the account, goes when the due has no zone any more."""

from datetime import UTC, datetime

import pytest
import time_machine

from tests.features.tasks.recurrence.zoned import TASKS, following, live_in, make
from tests.scene import Scene, patch

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=False):
        yield Scene(app)


# what a PATCH leaves of the zone that was chosen; the account is in Tokyo by now
CHOSEN_PATCHES = [
    ({"title": "x"}, "Europe/Berlin"),
    ({"due": "2026-12-05T09:00:00Z"}, "Europe/Berlin"),
    ({"due": "2026-12-05"}, None),
    ({"due": "2026-12-05T09:00"}, None),
    ({"due": "2026-12-05", "due_timezone": "Europe/Berlin"}, "Europe/Berlin"),
    ({"due_timezone": None}, "Asia/Tokyo"),
    ({"due": None}, None),
]


@pytest.mark.parametrize(("body", "zone"), CHOSEN_PATCHES)
@pytest.mark.parametrize("how", ["made", "cleared", "quick", "followed"])
def test_a_zone_that_the_service_chose_goes_with_the_time(scene, how, body, zone):
    live_in(scene.owner, "Europe/Berlin")
    task = _in_a_chosen_zone(scene, how)
    assert task["due_timezone"] == "Europe/Berlin"
    live_in(scene.owner, "Asia/Tokyo")
    path = f"{TASKS}/{task['id']}"
    assert patch(scene.owner, path, body).json["due_timezone"] == zone
    if body == {"due": "2026-12-05"}:  # and stays away
        assert patch(scene.owner, path, {"due": "2026-12-06T09:00:00Z"}).json["due_timezone"] == "Asia/Tokyo"


def _in_a_chosen_zone(scene, how):
    if how == "quick":
        body = {"text": "Call Ada tomorrow at 9am", "project_id": str(scene.project.id)}
        return scene.owner.post(f"{TASKS}/quick", json=body).json["task"]
    given = {"due_timezone": "Asia/Tokyo"} if how == "cleared" else {}
    task = make(scene.owner, scene.project.id, due="2026-12-01T09:00:00Z", **given)
    if how == "cleared":
        return patch(scene.owner, f"{TASKS}/{task['id']}", {"due_timezone": None}).json
    if how == "followed":
        patch(scene.owner, f"{TASKS}/{task['id']}", {"recurrence": "FREQ=DAILY"})
        task = following(scene.owner, task)
        patch(scene.owner, f"{TASKS}/{task['id']}", {"recurrence": None})
    return task
