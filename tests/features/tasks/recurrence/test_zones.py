"""Whole days and local times lie in the zone of their project; a series lives on the clock of its due's zone."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
import time_machine

from taskmanager.features.projects.models import Project
from tests.features.tasks.recurrence.zoned import TASKS, following, live_in, make, project_of
from tests.problems import assert_problem
from tests.scene import Scene, patch

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=False):
        yield Scene(app)


def found(client, condition, sort="due_at"):
    answer = client.get(TASKS, query_string={"filter": condition, "sort": sort})
    assert answer.status_code == 200, answer.text
    return [item["title"] for item in answer.json["items"]]


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "Asia/Tokyo", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_whole_days_stand_where_their_day_ends(scene, zone):
    live_in(scene.owner, zone)
    project = project_of(scene.owner)
    assert project["timezone"] == zone
    offset = datetime(2026, 12, 2, tzinfo=ZoneInfo(zone)).isoformat()[19:]
    dues = ["2026-12-01T20:00:00", "2026-12-01", f"2026-12-02T08:00:00{offset}", "2026-12-02T09:00:00", "2026-12-02"]
    for due in reversed(dues):
        make(scene.owner, project["id"], due=due)
    assert found(scene.owner, "due_at is not null") == dues
    assert found(scene.owner, "due_at = 2026-12-01") == dues[:2]
    assert found(scene.owner, "due_at <= 2026-12-01") == dues[:2]
    assert found(scene.owner, "due_at < 2026-12-02T08:00") == dues[:2]
    with time_machine.travel(datetime.fromisoformat(f"2026-12-02T00:00:01{offset}"), tick=False):
        client = scene.app.test_client()
        answer = client.post("/api/v1/auth/login", json={"email": scene.owner.user.email, "password": PASSWORD})
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {answer.json['access_token']}"
        assert found(client, "due_at < now") == found(client, "due_at < today") == dues[:2]
        assert client.get(f"/api/v1/projects/{project['id']}/stats").json["overdue"] == 2


PASSWORD = "correct horse battery staple"


def test_the_zone_of_a_project_is_given_changed_and_checked(scene, deliver):
    project = project_of(scene.owner, timezone="Asia/Tokyo")
    path = f"/api/v1/projects/{project['id']}"
    for wrong in ("Mars/Olympus", "", None, 9, "asia/tokyo "):
        assert_problem(patch(scene.owner, path, {"timezone": wrong}), 422)
        assert_problem(scene.owner.post("/api/v1/projects", json={"key": "W", "name": "W", "timezone": wrong}), 422)
    day, time_, instant = (
        make(scene.owner, project["id"], due=due) for due in ("2026-12-01", "2026-12-01T09:00", "2026-12-01T09:00Z")
    )
    assert (day["due_at"], time_["due_at"]) == ("2026-12-01T14:59:59.999Z", "2026-12-01T00:00:00.000Z")
    reminder = {"relative_to": "due", "minutes_before": 60}
    kept = scene.owner.post(f"{TASKS}/{time_['id']}/reminders", json=reminder).json
    assert kept["fire_at"] == "2026-11-30T23:00:00.000Z"
    assert patch(scene.owner, path, {"timezone": "America/New_York"}).json["timezone"] == "America/New_York"
    deliver()
    after = [scene.owner.get(f"{TASKS}/{task['id']}").json for task in (day, time_, instant)]
    assert [task["due_at"] for task in after] == [
        "2026-12-02T04:59:59.999Z",
        "2026-12-01T14:00:00.000Z",
        "2026-12-01T09:00:00.000Z",
    ]
    assert [task["due"] for task in after] == ["2026-12-01", "2026-12-01T09:00", "2026-12-01T09:00Z"]
    assert after[0]["revision"] > day["revision"]
    assert after[2]["revision"] == instant["revision"]
    fresh = scene.owner.get(f"{TASKS}/{time_['id']}/reminders/{kept['id']}").json
    assert fresh["fire_at"] == "2026-12-01T13:00:00.000Z"


def test_what_moves_or_is_copied_is_placed_where_it_goes(scene):
    tokyo = project_of(scene.owner, timezone="Asia/Tokyo")
    task = make(scene.owner, tokyo["id"], due="2026-12-01")
    body = {"key": "COPY", "name": "Copy", "with_tasks": True}
    copy = scene.owner.post(f"/api/v1/projects/{tokyo['id']}/copy", json=body).json
    items = scene.owner.get(f"/api/v1/projects/{copy['id']}/tasks").json["items"]
    assert (copy["timezone"], items[0]["due_at"]) == ("Asia/Tokyo", "2026-12-01T14:59:59.999Z")
    moved = scene.owner.post(f"{TASKS}/{task['id']}/move", json={"project_id": str(scene.project.id)}).json
    assert (moved["due"], moved["due_at"]) == ("2026-12-01", "2026-12-01T23:59:59.999Z")


# what a task with the due and zone of BEFORE has after a PATCH of these parts by an account in Berlin
BEFORE = {"due": "2026-12-01T09:00:00Z", "due_timezone": "Asia/Tokyo"}
PATCHES = [
    ({"title": "x"}, "2026-12-01T09:00:00Z", "Asia/Tokyo"),
    ({"due": "2026-12-05T09:00:00Z"}, "2026-12-05T09:00:00Z", "Asia/Tokyo"),
    ({"due": "2026-12-05T09:00:00+01:00"}, "2026-12-05T09:00:00+01:00", "Asia/Tokyo"),
    ({"due": "2026-12-05"}, "2026-12-05", "Asia/Tokyo"),
    ({"due": "2026-12-05T09:00"}, "2026-12-05T09:00", "Asia/Tokyo"),
    ({"due": None}, None, None),
    ({"due": None, "due_timezone": "Europe/Paris"}, None, None),
    ({"due_timezone": "Europe/Paris"}, "2026-12-01T09:00:00Z", "Europe/Paris"),
    ({"due_timezone": None}, "2026-12-01T09:00:00Z", "Europe/Berlin"),
    ({"due": "2026-12-05T09:00:00Z", "due_timezone": "Europe/Paris"}, "2026-12-05T09:00:00Z", "Europe/Paris"),
    ({"due": "2026-12-05T09:00:00Z", "due_timezone": None}, "2026-12-05T09:00:00Z", "Europe/Berlin"),
    ({"due": "2026-12-05", "due_timezone": None}, "2026-12-05", None),
    ({"due": "2026-12-05", "due_timezone": "Europe/Paris"}, "2026-12-05", "Europe/Paris"),
    ({"start_at": "2026-11-30T09:00:00Z"}, "2026-12-01T09:00:00Z", "Asia/Tokyo"),
    ({"recurrence": "FREQ=DAILY"}, "2026-12-01T09:00:00Z", "Asia/Tokyo"),
    ({"recurrence": None}, "2026-12-01T09:00:00Z", "Asia/Tokyo"),
]


@pytest.mark.parametrize(("body", "due", "zone"), PATCHES)
def test_a_patch_of_parts_leaves_the_rest(scene, body, due, zone):
    live_in(scene.owner, "Europe/Berlin")
    task = make(scene.owner, scene.project.id, **BEFORE)
    after = patch(scene.owner, f"{TASKS}/{task['id']}", body)
    assert (after.status_code, after.json["due"], after.json["due_timezone"]) == (200, due, zone)
    again = scene.owner.get(f"{TASKS}/{task['id']}").json
    assert (again["due"], again["due_timezone"]) == (due, zone)


def test_a_patch_without_a_due_keeps_no_zone(scene):
    task = make(scene.owner, scene.project.id, due_timezone="Asia/Tokyo", title="x")
    assert task["due_timezone"] is None
    path = f"{TASKS}/{task['id']}"
    assert patch(scene.owner, path, {"due_timezone": "Asia/Tokyo"}).json["due_timezone"] is None
    assert_problem(patch(scene.owner, path, {"due_timezone": "Mars/Olympus"}), 422)


def test_a_series_in_utc_lives_on_the_clock_of_the_account(scene):
    live_in(scene.owner, "Europe/Berlin")
    task = make(
        scene.owner,
        scene.project.id,
        due="2027-03-26T08:00:00Z",  # nine in Berlin
        start_at="2027-03-26T06:00:00Z",
        recurrence="FREQ=DAILY;INTERVAL=3",
    )
    assert task["due_timezone"] == "Europe/Berlin"
    after = following(scene.member(), task)  # who completes it lives elsewhere
    assert (after["due_at"], after["start_at"]) == ("2027-03-29T07:00:00.000Z", "2027-03-29T05:00:00.000Z")
    assert after["due_timezone"] == "Europe/Berlin"
    live_in(scene.owner, "Asia/Tokyo")  # as does the account from now on
    moved = patch(scene.owner, f"{TASKS}/{after['id']}", {"due": "2027-10-29T07:00:00Z"}).json
    assert moved["due_timezone"] == "Europe/Berlin"
    autumn = following(scene.owner, moved)
    assert (autumn["due_at"], autumn["start_at"]) == ("2027-11-01T08:00:00.000Z", "2027-04-01T05:00:00.000Z")


@pytest.mark.parametrize(
    ("due", "start", "wanted"),
    [
        ("2027-03-27", "2027-03-27T08:00:00Z", "2027-03-28T07:00:00.000Z"),
        ("2027-03-27T12:00", "2027-03-27T08:00:00Z", "2027-03-28T07:00:00.000Z"),
        ("2027-10-30", "2027-10-30T07:00:00Z", "2027-10-31T08:00:00.000Z"),
    ],
)
def test_the_start_of_whole_days_stays_on_the_clock_of_the_project(scene, due, start, wanted):
    project = project_of(scene.owner, timezone="Europe/Berlin")
    task = make(scene.owner, project["id"], due=due, start_at=start, recurrence="FREQ=DAILY")
    assert following(scene.owner, task)["start_at"] == wanted


@pytest.mark.parametrize(
    ("due", "rule", "wanted"),
    [
        ("2028-02-29", "FREQ=YEARLY", "2032-02-29"),
        ("2027-01-31", "FREQ=MONTHLY", "2027-03-31"),
        ("2027-01-31", "FREQ=MONTHLY;BYMONTHDAY=-1", "2027-02-28"),
        ("2027-02-28", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1", "2028-02-29"),
        ("2027-01-01", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO", "2027-01-03"),
        ("2027-01-01", "FREQ=WEEKLY;INTERVAL=2;BYDAY=SU,MO;WKST=SU", "2027-01-10"),
    ],
)
def test_odd_days_of_the_calendar(scene, due, rule, wanted):
    assert following(scene.owner, make(scene.owner, scene.project.id, due=due, recurrence=rule))["due"] == wanted


@pytest.mark.parametrize("zone", ["Europe/Kyiv", "Europe/Kiev", "America/Ciudad_Juarez", "Pacific/Kanton"])
def test_zones_that_are_new_or_renamed_do_everywhere(scene, zone):
    live_in(scene.owner, zone)
    project = project_of(scene.owner)
    make(scene.owner, project["id"], due="2026-12-01")
    for path in (f"{TASKS}/stats", f"/api/v1/projects/{project['id']}/stats", f"{TASKS}/facets"):
        assert scene.owner.get(path).status_code == 200, path
    assert found(scene.owner, "due_at = 2026-12-01") == ["2026-12-01"]


@pytest.mark.parametrize(
    ("condition", "wanted"),
    [
        ("due_at < now+1M", ["2026-12-01"]),
        ("due_at > now+1M and due_at < now+1y", ["2026-12-31"]),
        ("due_at = now+1M/M", ["2026-12-01", "2026-12-31"]),
        ("due_at = 2027-01-31-1M", ["2026-12-31"]),
        ("due_at = 2026-11-30+1M+1d", ["2026-12-31"]),
        ("due_at < now-9999y", []),
    ],
)
def test_filters_count_months_and_years(scene, condition, wanted):
    for due in ("2026-12-01", "2026-12-31"):
        make(scene.owner, scene.project.id, due=due)
    answer = scene.owner.get(TASKS, query_string={"filter": condition, "sort": "due_at"})
    if "9999" in condition:
        assert_problem(answer, 422)
    else:
        assert [item["title"] for item in answer.json["items"]] == wanted


def test_a_stored_zone_that_is_no_longer_known_is_utc(scene):
    Project.objects(id=scene.project.id).update(set__timezone="Mars/Olympus")
    task = make(scene.owner, scene.project.id, due="2026-12-01", recurrence="FREQ=DAILY")
    assert task["due_at"] == "2026-12-01T23:59:59.999Z"
    assert following(scene.owner, task)["due"] == "2026-12-02"
