"""Recurring tasks over HTTP: what follows a completion, once; what is to be expected."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine
from bson import ObjectId

from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory, actor_of
from tests.problems import assert_problem
from tests.scene import Scene, patch

ANY = {"If-Match": "*"}
TASKS = "/api/v1/tasks"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=False):
        yield Scene(app)


def make(scene, **body):
    answer = scene.owner.post(scene.tasks_path, json={"title": "Pay rent", "recurrence": "FREQ=MONTHLY"} | body)
    assert answer.status_code == 201, answer.text
    return answer.json


def complete(client, task):
    answer = client.put(f"{TASKS}/{task['id']}/completion", headers=ANY)
    assert answer.status_code == 200, answer.text
    return answer.json


def followed(scene, task):
    """What followed the completion of a task."""
    return scene.owner.get(f"{TASKS}/{complete(scene.owner, task)['next_task_id']}").json


def test_what_follows_is_like_what_was_completed(scene):
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "home"}).json["id"]
    body = {
        "due": "2026-12-01",
        "start_at": "2026-11-30T08:00:00Z",
        "description": "By *transfer*",
        "priority": "high",
        "label_ids": [label],
        "assignee_ids": [str(scene.owner.user.id)],
        "estimate_minutes": 5,
        "parent_id": str(scene.task.id),
    }
    task = make(scene, **body)
    patch(scene.owner, f"{TASKS}/{task['id']}", {"status": "in_progress"})
    after = followed(scene, task)
    assert {name: after[name] for name in body if name not in ("due", "start_at")} == {
        name: value for name, value in body.items() if name not in ("due", "start_at")
    }
    assert (after["due"], after["start_at"]) == ("2027-01-01", "2026-12-31T08:00:00.000Z")
    assert (after["status"], after["completed_at"], after["title"]) == ("open", None, "Pay rent")
    assert (after["series_id"], after["recurrence"]) == (task["id"], "FREQ=MONTHLY")
    assert followed(scene, after)["series_id"] == task["id"]
    assert scene.owner.get(scene.task_path).json["progress"] == {"total": 3, "done": 2}


@pytest.mark.parametrize(
    ("due", "recurrence", "recurs_from", "wanted"),
    [
        ("2026-11-20", "FREQ=DAILY", "due", "2026-11-25"),  # late: not before tomorrow
        ("2026-11-30", "FREQ=DAILY", "due", "2026-12-01"),  # early: after the due all the same
        ("2026-11-02", "FREQ=WEEKLY", "due", "2026-11-30"),
        ("2026-11-20", "FREQ=DAILY;INTERVAL=3", "completion", "2026-11-27"),
        ("2026-12-20", "FREQ=DAILY;INTERVAL=3", "completion", "2026-11-27"),
        ("2026-11-24T09:00", "FREQ=DAILY", "due", "2026-11-25T09:00:00"),
        ("2026-11-23T13:00", "FREQ=DAILY", "due", "2026-11-24T13:00:00"),  # today at one is still to come
        ("2026-11-23T09:00:00+01:00", "FREQ=DAILY;INTERVAL=2", "completion", "2026-11-26T09:00:00+01:00"),
    ],
)
def test_the_next_due_is_counted_from_the_due_or_from_completion(scene, due, recurrence, recurs_from, wanted):
    task = make(scene, due=due, recurrence=recurrence, recurs_from=recurs_from)
    assert followed(scene, task)["due"] == wanted


def test_a_zoned_due_stays_on_the_clock_of_its_maker(scene):
    patch(scene.owner, "/api/v1/users/me", {"timezone": "Europe/Berlin"})
    task = make(scene, due="2027-03-27T09:00:00+01:00", recurrence="FREQ=DAILY")
    assert task["due_timezone"] == "Europe/Berlin"
    after = followed(scene, task)
    assert (after["due"], after["due_at"]) == ("2027-03-28T09:00:00+02:00", "2027-03-28T07:00:00.000Z")
    told = make(scene, due="2027-03-27T09:00:00-05:00", due_timezone="America/New_York", recurrence="FREQ=DAILY")
    assert (told["due_timezone"], followed(scene, told)["due"]) == ("America/New_York", "2027-03-28T10:00:00-04:00")


def test_a_time_that_the_clock_leaves_out_once_comes_back(scene):
    patch(scene.owner, "/api/v1/users/me", {"timezone": "Europe/Berlin"})
    task = make(scene, due="2027-03-27T02:30:00+01:00", recurrence="FREQ=DAILY")
    shifted = followed(scene, task)
    assert shifted["due"] == "2027-03-28T03:30:00+02:00"
    assert followed(scene, shifted)["due"] == "2027-03-29T02:30:00+02:00"


def test_a_count_runs_out(scene):
    task = make(scene, due="2026-12-01", recurrence="FREQ=DAILY;COUNT=2")
    last = followed(scene, task)
    assert last["recurrence"] == "FREQ=DAILY;COUNT=1"
    assert complete(scene.owner, last)["next_task_id"] is None


def test_opening_and_completing_again_makes_no_second_one(scene):
    task = make(scene, due="2026-12-01")
    first = complete(scene.owner, task)["next_task_id"]
    scene.owner.delete(f"{TASKS}/{task['id']}/completion", headers=ANY)
    assert complete(scene.owner, task)["next_task_id"] == first
    assert Task.objects(series_id=task["id"]).count() == 1


def test_a_status_of_done_recurs_and_one_of_cancelled_does_not(scene):
    task, other = make(scene, due="2026-12-01"), make(scene, due="2026-12-01")
    assert patch(scene.owner, f"{TASKS}/{task['id']}", {"status": "done"}).json["next_task_id"]
    assert patch(scene.owner, f"{TASKS}/{other['id']}", {"status": "cancelled"}).json["next_task_id"] is None


def test_fifty_parallel_completions_make_one_next(scene):
    task = make(scene, due="2026-12-01")
    actor = actor_of(scene.owner.user)
    with ThreadPoolExecutor(10) as pool:
        done = list(pool.map(lambda _: tasks.complete(ObjectId(task["id"]), if_match=None, actor=actor), range(50)))
    assert {str(one.next_task_id) for one in done} == {str(Task.objects.get(series_id=task["id"]).id)}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"recurrence": "FREQ=DAILY"}, "task.recurrence_needs_due"),
        ({"recurrence": "FREQ=HOURLY", "due": "2026-12-01"}, "task.recurrence_invalid"),
        ({"recurrence": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "due": "2026-12-01"}, "task.recurrence_never"),
        ({"recurrence": "FREQ=DAILY;UNTIL=20261201", "due": "2026-12-01"}, "task.recurrence_never"),
    ],
)
def test_a_recurrence_that_makes_no_sense_is_refused(scene, body, code):
    made = scene.owner.post(scene.tasks_path, json={"title": "x"} | body)
    for answer in (made, patch(scene.owner, scene.task_path, body)):
        assert assert_problem(answer, 422)["errors"][0]["code"] == code


def test_a_due_of_a_recurring_task_cannot_be_cleared_alone(scene):
    path = f"{TASKS}/{make(scene, due='2026-12-01')['id']}"
    assert_problem(patch(scene.owner, path, {"due": None}), 422)
    assert patch(scene.owner, path, {"due": None, "recurrence": None}).json["recurrence"] is None


def expected(client, task, **query):
    answer = client.get(f"{TASKS}/{task['id']}/occurrences", query_string=query)
    assert answer.status_code == 200, answer.text
    return [item["due"] for item in answer.json["items"]]


def test_the_future_is_projected(scene):
    task = make(scene, due="2026-12-01", recurrence="FREQ=WEEKLY;COUNT=4")
    assert expected(scene.member("viewer"), task) == ["2026-12-08", "2026-12-15", "2026-12-22"]
    assert expected(scene.owner, task, until="2026-12-15") == ["2026-12-08", "2026-12-15"]
    assert expected(scene.owner, task, limit=1) == ["2026-12-08"]
    daily = make(scene, due="2026-12-01", recurrence="FREQ=DAILY")
    assert len(expected(scene.owner, daily, limit=366)) == 366
    assert expected(scene.owner, {"id": scene.task.id}) == []
    assert_problem(scene.who("stranger").get(f"{TASKS}/{task['id']}/occurrences"), 404)
    for query in ({"until": "soon"}, {"limit": 367}, {"limit": 0}):
        assert_problem(scene.owner.get(f"{TASKS}/{task['id']}/occurrences", query_string=query), 422)


def test_a_task_that_was_due_long_ago_can_be_completed(scene):
    task = make(scene, title="Wind the clock", due="1950-01-01", recurrence="FREQ=DAILY")
    assert followed(scene, complete(scene.owner, task))["due"] > "2026"


def test_a_year_of_days_is_expected_in_one_answer(scene):
    task = make(scene, title="Wind the clock", due="2026-11-24", recurrence="FREQ=DAILY")
    assert len(expected(scene.owner, task, until="2028-12-31", limit=366)) == 366


def test_a_task_that_does_not_recur_is_followed_by_nothing(scene):
    task = TaskFactory(project=scene.project, due="2026-12-01")
    assert complete(scene.owner, {"id": task.id})["next_task_id"] is None


def test_who_watches_a_task_watches_what_follows(scene):
    member = scene.member()
    task = make(scene, due="2026-12-01")
    for client in (member, scene.owner):
        path = f"{TASKS}/{task['id']}/watchers/{client.user.id}"
        assert scene.owner.put(path, headers=ANY).status_code == 204
    after = followed(scene, task)
    assert set(after["watcher_ids"]) >= {str(member.user.id), str(scene.owner.user.id)}
    assert after["id"] in {
        row["id"] for row in member.get(TASKS, query_string={"filter": "watcher = me"}).json["items"]
    }
