"""What earlier releases stored of dues gets its zone; what refers to it follows."""

from datetime import UTC, datetime

import pytest
import time_machine

from migrations.scripts import m202611270013_time_zones as migration
from taskmanager.core.storage.database import database
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from tests.features.tasks.recurrence.zoned import TASKS, following, live_in, make
from tests.scene import Scene

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=False):
        yield Scene(app)


def test_what_earlier_releases_stored_gets_its_zone(scene):
    live_in(scene.owner, "Asia/Tokyo")
    day = make(scene.owner, scene.project.id, due="2026-12-01")
    series = make(scene.owner, scene.project.id, due="2026-12-01T09:00:00Z", recurrence="FREQ=DAILY")
    Project._get_collection().update_many({}, {"$unset": {"timezone": 1}})
    Task._get_collection().update_many({}, {"$unset": {"due_timezone": 1}})
    for _ in range(2):
        migration.upgrade(database())
    assert scene.owner.get(scene.project_path).json["timezone"] == "Asia/Tokyo"
    assert scene.owner.get(f"{TASKS}/{day['id']}").json["due_at"] == "2026-12-01T14:59:59.999Z"
    after = scene.owner.get(f"{TASKS}/{series['id']}").json
    assert (after["due_timezone"], after["due_at"]) == ("Asia/Tokyo", "2026-12-01T09:00:00.000Z")
    assert following(scene.owner, after)["due"] == "2026-12-02T18:00:00+09:00"


def test_reminders_and_etags_follow_what_earlier_releases_stored(scene):
    live_in(scene.owner, "Asia/Tokyo")
    whole, local = (make(scene.owner, scene.project.id, due=due) for due in ("2026-12-01", "2026-12-01T09:00"))
    series = make(scene.owner, scene.project.id, due="2026-12-01T09:00:00Z", recurrence="FREQ=DAILY")
    over = make(scene.owner, scene.project.id, due="2026-11-24T20:00")  # before noon in Tokyo's UTC
    paths = [f"{TASKS}/{task['id']}" for task in (whole, local, series, over)]
    reminder = {"relative_to": "due", "minutes_before": 60}
    kept = [scene.owner.post(f"{path}/reminders", json=reminder).headers["Location"] for path in paths]
    Project._get_collection().update_many({}, {"$unset": {"timezone": 1}})
    Task._get_collection().update_many({}, {"$unset": {"due_timezone": 1, "due_timezone_chosen": 1, "recurs_at": 1}})
    before = [scene.owner.get(path).headers["ETag"] for path in paths + kept]
    migration.upgrade(database())
    after = [scene.owner.get(path).headers["ETag"] for path in paths + kept]
    changed = [old != new for old, new in zip(before, after, strict=True)]
    assert changed == [True, True, True, True, False, True, False, True]
    fires = [scene.owner.get(path).json["fire_at"] for path in kept]
    assert fires == ["2026-11-30T23:00:00.000Z", "2026-11-30T23:00:00.000Z", "2026-12-01T08:00:00.000Z", None]
    migration.upgrade(database())
    Project._get_collection().update_many({}, {"$unset": {"timezone": 1}})  # as if it had ended on its way
    migration.upgrade(database())
    assert [scene.owner.get(path).headers["ETag"] for path in paths + kept] == after
