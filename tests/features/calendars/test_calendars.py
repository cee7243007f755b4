"""Calendars, read back as programs read them."""

from datetime import UTC, date, datetime, time, timedelta
from urllib.parse import urlsplit

import icalendar
import pytest
import recurring_ical_events
from bson import ObjectId

from taskmanager.core.security.access import Actor
from taskmanager.core.storage import querysets
from taskmanager.core.zones import zone
from taskmanager.features.calendars import service as calendars
from taskmanager.features.projects.members import service as members
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import UserFactory

V1 = "/api/v1"
ANY = {"If-Match": "*"}
ZONES = ("Europe/Berlin", "America/New_York")
BEGIN = date(2031, 1, 6)  # a Monday; the year has both changes of the clock
SERIES = (
    ("2031-01-06T02:30:00", "FREQ=DAILY;COUNT=365"),  # through the hour that a change of the clock skips
    ("2031-01-06T09:00:00", "FREQ=WEEKLY;BYDAY=MO,TH"),
    ("2031-01-07", "FREQ=WEEKLY;INTERVAL=2;UNTIL=20310801"),
    ("2031-01-31", "FREQ=MONTHLY"),
    ("2031-01-31T18:00:00", "FREQ=MONTHLY;BYDAY=-1FR"),
    ("2031-02-01T08:00:00", "FREQ=YEARLY;BYMONTH=3,10;BYDAY=-1SU"),
    ("2031-03-01T23:30:00Z", "FREQ=WEEKLY;UNTIL=20311101T000000Z"),
)


def made(response, status=201):
    assert response.status_code == status, response.json
    return response.json


@pytest.fixture
def scene(caller):
    return Scene(caller())


class Scene:
    def __init__(self, owner):
        self.owner, self.anyone = owner, owner.application.test_client()
        self.projects = [self._project(f"P{number}", name) for number, name in enumerate(ZONES)]

    def _project(self, key, timezone):
        return made(self.owner.post(f"{V1}/projects", json={"key": key, "name": key, "timezone": timezone}))["id"]

    def task(self, project_id, **fields):
        body = {"title": "Water; the\\ plants, all", "assignee_ids": [str(self.owner.user.id)]} | fields
        return made(self.owner.post(f"{V1}/projects/{project_id}/tasks", json=body))

    def issue(self):
        return made(self.owner.put(f"{V1}/users/me/calendar"), 200)["url"]

    def link(self, project_id):
        return made(self.owner.get(f"{V1}/projects/{project_id}/calendar"), 200)["url"]

    def read(self, url, more="", **headers):
        parts = urlsplit(url)
        return self.anyone.get(f"{parts.path}?{parts.query}{more}", headers=headers)

    def parsed(self, url, more=""):
        response = self.read(url, more)
        assert (response.status_code, response.mimetype) == (200, "text/calendar"), response.data
        return icalendar.Calendar.from_ical(response.data)


def moment_of(value, timezone):
    """The due of an occurrence as the service tells it: the end of a day, or a moment."""
    if not isinstance(value, datetime):
        value = datetime.combine(value, time(23, 59, 59, 999_000), zone(timezone))
    return value.astimezone(UTC)


def test_the_occurrences_of_a_year_are_those_of_the_service(scene):
    tasks = []
    for project_id, timezone in zip(scene.projects, ZONES, strict=True):
        for due, rule in SERIES:
            more = {"due_timezone": timezone} if due.endswith("Z") else {}
            tasks.append((scene.task(project_id, due=due, recurrence=rule, **more), timezone))
    scene.issue()
    for project_id in scene.projects:
        found = recurring_ical_events.of(scene.parsed(scene.link(project_id))).between(BEGIN, date(2032, 1, 1))
        for task, timezone in (one for one in tasks if one[0]["project_id"] == project_id):
            dates = sorted(moment_of(one["DTSTART"].dt, timezone) for one in found if one["UID"].startswith(task["id"]))
            told = scene.owner.get(f"{V1}/tasks/{task['id']}/occurrences?until=2031-12-31&limit=366").json["items"]
            expected = [datetime.fromisoformat(one["due_at"]) for one in [task, *told]]
            assert dates == expected, (task["due"], task["recurrence"], timezone)
            assert len(dates) > 1


def test_a_task_is_an_event_or_a_todo_with_alarms_and_its_state(scene):
    url, project_id = scene.issue(), scene.projects[0]
    task = scene.task(project_id, due="2031-03-03T09:00:00", recurrence="FREQ=DAILY", priority="urgent")
    remind = {"relative_to": "due", "minutes_before": 30}
    made(scene.owner.post(f"{V1}/tasks/{task['id']}/reminders", json=remind))
    day = scene.task(project_id, title="Day", due="2031-03-04", description="One\r\nBEGIN:VEVENT")
    scene.task(project_id, title="Not mine", due="2031-03-04", assignee_ids=[])
    scene.task(project_id, title="No due")
    event = {str(one["UID"])[:24]: one for one in scene.parsed(url).walk("VEVENT")}
    assert event.keys() == {task["id"], day["id"]}
    assert event[task["id"]]["SUMMARY"] == "Water; the\\ plants, all (P0-1)" and event[task["id"]]["PRIORITY"] == 1
    (alarm,) = event[task["id"]].walk("VALARM")
    assert alarm["TRIGGER"].dt == timedelta(minutes=-30)
    assert event[day["id"]]["DTSTART"].dt == date(2031, 3, 4)
    calendar = scene.parsed(url)
    assert calendar["REFRESH-INTERVAL"].dt == timedelta(minutes=15)
    assert [str(one["TZID"]) for one in calendar.walk("VTIMEZONE")] == ["Europe/Berlin"]
    scene.owner.put(f"{V1}/tasks/{day['id']}/completion", headers=ANY)
    scene.owner.delete(f"{V1}/tasks/{task['id']}", headers=ANY)
    todos = {str(one["UID"])[:24]: one for one in scene.parsed(url, "&kind=todos").walk("VTODO")}
    assert (todos[task["id"]]["STATUS"], todos[day["id"]]["STATUS"]) == ("CANCELLED", "COMPLETED")
    assert todos[task["id"]]["SEQUENCE"] > 1 and "RRULE" not in todos[task["id"]]


def test_labels_are_categories_and_a_start_is_the_begin(scene):
    url, project_id = scene.issue(), scene.projects[0]
    label = made(scene.owner.post(f"{V1}/projects/{project_id}/labels", json={"name": "Home, garden"}))
    path, start = f"{V1}/projects/{project_id}/labels/{label['id']}", "2031-03-01T23:30:00Z"  # the 2nd in Berlin
    day = scene.task(project_id, due="2031-03-04", start_at=start, label_ids=[label["id"]])
    moment = scene.task(project_id, due="2031-03-03T09:00:00", start_at=start)
    series = scene.task(project_id, due="2031-03-03T09:00:00", start_at=start, recurrence="FREQ=DAILY")
    events = {str(one["UID"])[:24]: one for one in scene.parsed(url).walk("VEVENT")}
    todos = {str(one["UID"])[:24]: one for one in scene.parsed(url, "&kind=todos").walk("VTODO")}
    assert (events[day["id"]]["DTSTART"].dt, events[day["id"]]["DTEND"].dt) == (date(2031, 3, 2), date(2031, 3, 5))
    assert (todos[day["id"]]["DTSTART"].dt, todos[day["id"]]["DUE"].dt) == (date(2031, 3, 2), date(2031, 3, 4))
    assert events[moment["id"]]["DTSTART"].dt == datetime.fromisoformat(start)
    assert events[moment["id"]]["DTEND"].dt == todos[moment["id"]]["DUE"].dt
    assert events[series["id"]]["DTSTART"].dt == todos[series["id"]]["DUE"].dt and "DTEND" not in events[series["id"]]
    assert [str(one) for one in events[day["id"]]["CATEGORIES"].cats] == ["Home, garden"]
    assert "CATEGORIES" not in events[moment["id"]]
    made(scene.owner.patch(path, json={"name": "Garden"}, headers=ANY), 200)
    named = [one["CATEGORIES"].cats for one in scene.parsed(url).walk("VEVENT") if "CATEGORIES" in one]
    assert [[str(one) for one in names] for names in named] == [["Garden"]]


def test_an_unchanged_calendar_is_304(scene):
    url = scene.issue()
    task = scene.task(scene.projects[0], due="2031-03-03")
    tag = scene.read(url).headers["ETag"]
    again = scene.read(url, **{"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    scene.owner.patch(f"{V1}/tasks/{task['id']}", json={"title": "Other"}, headers=ANY)
    assert scene.read(url, **{"If-None-Match": tag}).status_code == 200


def test_a_link_shows_one_calendar_until_it_is_revoked_or_the_rights_end(scene, caller):
    member, project_id = caller(), ObjectId(scene.projects[0])
    assert member.get(f"{V1}/users/me/calendar").json["code"] == "calendar.no_link"
    members.join(project_id, member.user.id, "viewer", actor=Actor(scene.owner.user.id))
    own = made(member.put(f"{V1}/users/me/calendar"), 200)["url"]
    assert made(member.get(f"{V1}/users/me/calendar"), 200)["url"] == own
    link = made(member.get(f"{V1}/projects/{project_id}/calendar"), 200)["url"]
    assert member.get(f"{V1}/projects/{scene.projects[1]}/calendar").status_code == 404
    scene.task(scene.projects[0], due="2031-03-03")
    assert scene.parsed(link)["X-WR-CALNAME"] == "Task Manager: P0 (P0)"
    assert len(scene.parsed(link).walk("VEVENT")) == 1 and not scene.parsed(own).walk("VEVENT")
    token = urlsplit(link).query
    for path in (f"{V1}/users/me/calendar.ics", f"{V1}/projects/{scene.projects[1]}/calendar.ics"):
        assert scene.anyone.get(f"{path}?{token}").status_code == 404
    refused = scene.read(link[:-2])
    assert (refused.status_code, refused.json["code"]) == (404, "calendar.link_invalid")
    scene.owner.delete(f"{V1}/projects/{project_id}/members/{member.user.id}", headers=ANY)
    assert (scene.read(link).status_code, scene.read(own).status_code) == (404, 200)
    renewed = made(member.put(f"{V1}/users/me/calendar"), 200)["url"]
    assert (scene.read(own).status_code, scene.read(renewed).status_code) == (404, 200)
    assert member.delete(f"{V1}/users/me/calendar").status_code == 204
    assert scene.read(renewed).status_code == 404


def test_a_full_calendar_has_the_next_tasks_whatever_the_size_of_their_descriptions(scene, monkeypatch):
    """Found by a review: it had the latest dues, of these what fitted into a page, and nothing of next week."""
    url, ahead = scene.issue(), datetime.now(UTC).replace(microsecond=0)
    far = [ahead + timedelta(days=number) for number in range(-3, 4)]
    for number, due in enumerate(far):
        scene.task(scene.projects[0], title=f"T{number}", due=due.isoformat(), description="x" * 3000)
    monkeypatch.setattr(querysets, "MAX_PAGE_BYTES", 2_000)  # so that the tasks take several pages

    def shown():
        return [str(one["SUMMARY"])[:2] for one in scene.parsed(url).walk("VEVENT")]

    assert shown() == ["T3", "T4", "T5", "T6", "T2", "T1", "T0"]
    assert len(scene.parsed(url).walk("VEVENT")[0]["DESCRIPTION"]) == 501
    monkeypatch.setattr(calendars, "MAX_TASKS", 5)
    assert {"T3", "T4", "T5", "T6"} < set(shown()) and len(shown()) == 5


def test_calendars_are_limited_by_their_links_not_by_the_address_that_many_share(other_app):
    app = other_app(ratelimit_enabled=True, ratelimit_expensive="2/minute")
    scenes = [Scene.__new__(Scene) for _ in range(2)]
    for one in scenes:
        one.owner, one.anyone = sign_in(app, UserFactory()), app.test_client()
    first, second = (one.issue() for one in scenes)
    assert [scenes[0].read(first).status_code for _ in range(3)] == [200, 200, 429]
    assert [scenes[0].read(f"{first}x").status_code for _ in range(3)] == [404, 404, 429]
    assert scenes[1].read(second).status_code == 200
