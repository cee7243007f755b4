"""Reminders: personal, relative or absolute, fired once at their time."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from taskmanager.core.events import schedule
from taskmanager.features.tasks import listeners
from taskmanager.features.tasks.reminders import service as reminders
from taskmanager.features.tasks.reminders.models import Reminder
from tests.problems import assert_problem
from tests.scene import Scene, patch

ANY = {"If-Match": "*"}
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


@pytest.fixture
def scene(clock, app):
    return Scene(app)


@pytest.fixture
def path(scene):
    return f"{scene.task_path}/reminders"


def remind(client, path, **body):
    answer = client.post(path, json=body or {"relative_to": "due", "minutes_before": 30})
    assert answer.status_code == 201, answer.text
    return answer.json


def fired(mail, deliver):
    listeners.fire_reminders()
    deliver()
    told = [(message["To"].addresses[0].addr_spec, message["Subject"]) for message in mail.messages]
    return [(address, subject) for address, subject in told if "Reminder" in subject]


def test_reminders_are_set_read_replaced_and_deleted(scene, path):
    made = remind(scene.owner, path, at="2026-11-25T08:00:00Z")
    one = f"{path}/{made['id']}"
    assert (made["fire_at"], made["fired_at"]) == ("2026-11-25T08:00:00.000Z", None)
    assert scene.owner.get(one).json == made
    assert scene.owner.get(path).json["items"] == [made]
    body = {"relative_to": "due", "minutes_before": 5}
    assert_problem(scene.owner.put(one, json=body), 428)
    changed = scene.owner.put(one, json=body, headers=ANY).json
    assert (changed["at"], changed["relative_to"], changed["fire_at"]) == (None, "due", None)
    assert scene.owner.delete(one, headers=ANY).status_code == 204
    assert scene.owner.get(path).json["items"] == []


def test_no_one_sees_the_reminders_of_others(scene, path):
    one = f"{path}/{remind(scene.owner, path)['id']}"
    manager = scene.member("manager")
    assert manager.get(path).json["items"] == []
    assert_problem(manager.get(one), 404)
    assert_problem(manager.delete(one, headers=ANY), 404)
    assert_problem(scene.who("stranger").post(path, json={"at": "2026-12-01T00:00:00Z"}), 404)
    assert remind(scene.member("viewer"), path)


@pytest.mark.parametrize(
    ("due", "wanted"),
    [
        ("2026-12-01T09:00:00+01:00", "2026-12-01T07:30:00.000Z"),
        ("2026-12-01T09:00", "2026-12-01T08:30:00.000Z"),  # in the zone of the project
        ("2026-12-01", "2026-12-01T13:30:00.000Z"),  # nine in the morning of the person
        (None, None),
    ],
)
def test_a_relative_reminder_follows_the_due_on_the_persons_clock(scene, path, due, wanted):
    patch(scene.owner, "/api/v1/users/me", {"timezone": "America/New_York"})
    before = remind(scene.owner, path)
    patch(scene.owner, scene.task_path, {"due": "2026-11-30"})
    patch(scene.owner, scene.task_path, {"due": due})
    one = scene.owner.get(f"{path}/{before['id']}").json
    assert one["fire_at"] == wanted
    assert remind(scene.owner, path)["fire_at"] == wanted


def test_reminders_follow_the_start_and_the_zone_too(scene, path, deliver):
    start = remind(scene.owner, path, relative_to="start", minutes_before=-60)
    day = remind(scene.owner, path, relative_to="due", minutes_before=0)
    patch(scene.owner, scene.task_path, {"start_at": "2026-12-01T08:00:00Z", "due": "2026-12-02"})
    assert scene.owner.get(f"{path}/{start['id']}").json["fire_at"] == "2026-12-01T09:00:00.000Z"
    patch(scene.owner, "/api/v1/users/me", {"timezone": "Asia/Tokyo"})
    deliver()
    assert scene.owner.get(f"{path}/{day['id']}").json["fire_at"] == "2026-12-02T00:00:00.000Z"


def test_a_reminder_fires_once_when_its_time_has_come(scene, path, clock, mail, deliver):
    made = remind(scene.owner, path, at="2026-11-24T12:10:00Z")
    clock.shift(timedelta(minutes=9))
    assert fired(mail, deliver) == []
    clock.shift(timedelta(minutes=1))
    told = [(scene.owner.user.email, f"Reminder: [{scene.task.key}] Write the notes")]
    assert fired(mail, deliver) == told
    assert fired(mail, deliver) == told
    after = scene.owner.get(f"{path}/{made['id']}").json
    assert (after["fire_at"], after["fired_at"]) == (None, "2026-11-24T12:10:00.000Z")


def test_two_schedulers_fire_it_once(scene, path, clock, mail, deliver):
    for minute in range(5):
        remind(scene.owner, path, at=f"2026-11-24T12:0{minute}:00Z")
    clock.shift(timedelta(hours=1))
    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(lambda _: reminders.fire_due(), range(4))) == 5
    assert len(fired(mail, deliver)) == 5


def test_what_was_missed_is_caught_up(scene, path, clock, mail, deliver):
    remind(scene.owner, path, at="2026-11-24T12:10:00Z")
    clock.shift(timedelta(minutes=14))  # a longer pause would end the login as well
    schedule.run_due()
    deliver()
    assert len(fired(mail, deliver)) == 1


@pytest.mark.parametrize("how", ["done", "trash", "gone", "archived"])
def test_what_is_no_longer_wanted_does_not_fire(scene, path, clock, mail, deliver, how):
    member = scene.member()
    remind(member, path, at="2026-11-24T12:10:00Z")
    if how == "done":
        scene.owner.put(f"{scene.task_path}/completion", headers=ANY)
    elif how == "trash":
        scene.owner.delete(scene.task_path, headers=ANY)
    elif how == "gone":
        scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY)
    else:
        scene.owner.put(f"{scene.project_path}/archive", headers=ANY)
    clock.shift(timedelta(minutes=11))
    assert fired(mail, deliver) == []
    left = Reminder.objects.first()
    assert left.fired_at is not None if how != "gone" else left is None  # it ends with the membership


def test_a_new_due_fires_it_again(scene, path, clock, mail, deliver):
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T12:40:00Z"})
    remind(scene.owner, path)
    clock.shift(timedelta(minutes=10))
    assert len(fired(mail, deliver)) == 1
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T12:42:00Z"})
    clock.shift(timedelta(minutes=2))
    assert len(fired(mail, deliver)) == 2


def test_what_follows_a_recurring_task_has_its_relative_reminders(scene, path):
    patch(scene.owner, scene.task_path, {"due": "2026-12-01", "recurrence": "FREQ=DAILY"})
    remind(scene.owner, path, relative_to="due", minutes_before=60)
    remind(scene.owner, path, at="2026-11-30T00:00:00Z")
    following = scene.owner.put(f"{scene.task_path}/completion", headers=ANY).json["next_task_id"]
    items = scene.owner.get(f"/api/v1/tasks/{following}/reminders").json["items"]
    assert [item["fire_at"] for item in items] == ["2026-12-02T08:00:00.000Z"]


def test_a_purged_task_has_no_reminders(scene, path):
    remind(scene.owner, path)
    scene.owner.delete(scene.task_path, headers=ANY)
    scene.owner.delete(f"/api/v1/trash/{scene.task.id}", headers=ANY)
    assert Reminder.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"at": "2026-12-01"},
        {"relative_to": "due"},
        {"minutes_before": 5},
        {"at": "2026-12-01T00:00:00Z", "relative_to": "due", "minutes_before": 5},
        {"relative_to": "end", "minutes_before": 5},
        {"relative_to": "due", "minutes_before": 10**9},
        {"at": None},
    ],
)
def test_a_reminder_that_makes_no_sense_is_refused(scene, path, body):
    assert_problem(scene.owner.post(path, json=body), 422)


def test_one_person_has_twenty_of_a_task(scene, path):
    for _ in range(20):
        remind(scene.owner, path)
    assert_problem(scene.owner.post(path, json={"at": "2026-12-01T00:00:00Z"}), 409, code="reminder.too_many")
    assert remind(scene.member(), path)


@pytest.mark.parametrize(
    "body",
    [
        {"at": "2026-11-24T11:59:59Z"},
        {"at": "1900-01-01T00:00:00Z"},
        {"relative_to": "due", "minutes_before": 30},
        {"relative_to": "due", "minutes_before": 60 * 24 * 366},
    ],
)
def test_what_is_past_when_it_is_set_fires_only_when_asked(scene, path, mail, deliver, body):
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T12:10:00Z"})
    made = remind(scene.owner, path, **body)
    assert (made["fire_at"], made["fired_at"]) == (None, None)
    again = scene.owner.put(f"{path}/{made['id']}", json=body, headers=ANY)
    assert (again.status_code, again.json["fire_at"]) == (200, None)
    assert fired(mail, deliver) == []
    asked = remind(scene.owner, path, **body, fire_if_past=True)
    assert asked["fire_at"]
    assert len(fired(mail, deliver)) == 1
    for wrong in ({"fire_if_past": True}, body | {"fire_if_past": "yes"}):
        assert_problem(scene.owner.post(path, json=wrong), 422)


def test_what_is_past_when_the_task_is_moved_does_not_fire(scene, path, clock, mail, deliver):
    patch(scene.owner, scene.task_path, {"due": "2026-12-01T12:00:00Z"})
    made = remind(scene.owner, path)
    one = f"{path}/{made['id']}"
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T12:10:00Z"})
    assert scene.owner.get(one).json["fire_at"] is None
    patch(scene.owner, "/api/v1/users/me", {"timezone": "Asia/Tokyo"})
    assert fired(mail, deliver) == []
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T12:35:00Z"})
    assert scene.owner.get(one).json["fire_at"] == "2026-11-24T12:05:00.000Z"
    clock.shift(timedelta(minutes=6))
    assert len(fired(mail, deliver)) == 1


def test_what_goes_along_with_a_late_series_does_not_fire_at_once(scene, mail, deliver):
    body = {"title": "Stretch", "due": "2026-11-23T12:10:00Z", "recurrence": "FREQ=DAILY"}
    task = scene.owner.post(scene.tasks_path, json=body).json
    remind(scene.owner, f"/api/v1/tasks/{task['id']}/reminders")
    done = scene.owner.put(f"/api/v1/tasks/{task['id']}/completion", headers=ANY).json
    items = scene.owner.get(f"/api/v1/tasks/{done['next_task_id']}/reminders").json["items"]
    assert [item["fire_at"] for item in items] == [None]  # due in ten minutes, half an hour before is past
    assert fired(mail, deliver) == []


def test_a_due_that_is_about_to_fire_is_not_lost_by_a_change_of_zone(scene, path, clock, mail, deliver):
    patch(scene.owner, scene.task_path, {"due": "2026-11-24T13:00:00Z"})
    remind(scene.owner, path)
    clock.shift(timedelta(minutes=14))
    clock.shift(timedelta(minutes=17))
    reminders.reschedule_for_user(scene.owner.user.id)
    assert len(fired(mail, deliver)) == 1
