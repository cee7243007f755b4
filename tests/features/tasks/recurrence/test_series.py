"""Undoing a completion, and what carries a series on: at most one open task of it is followed."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import time_machine
from bson import ObjectId

from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, actor_of
from tests.features.files import attach
from tests.problems import assert_problem
from tests.scene import Scene, patch

ANY = {"If-Match": "*"}
TASKS = "/api/v1/tasks"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def scene(app):
    with time_machine.travel(NOW, tick=True):
        yield Scene(app)


@pytest.fixture
def weekly(scene):
    body = {"title": "Water the plants", "due": "2026-12-01", "recurrence": "FREQ=WEEKLY"}
    return f"{TASKS}/{scene.owner.post(scene.tasks_path, json=body).json['id']}"


def complete(client, path):
    answer = client.put(f"{path}/completion", headers=ANY)
    assert answer.status_code == 200, answer.text
    following = answer.json["next_task_id"]
    return following and f"{TASKS}/{following}"


def reopen(client, path):
    answer = client.delete(f"{path}/completion", headers=ANY)
    assert answer.status_code == 200, answer.text
    return answer.json


def delete(client, path):
    assert client.delete(path, headers=ANY).status_code == 204


def opened(scene):
    """The dues of the open tasks of the series."""
    query = {"filter": 'title = "Water the plants" and status_group = backlog', "sort": "due_at"}
    return [item["due"] for item in scene.owner.get(scene.tasks_path, query_string=query).json["items"]]


def test_reopening_takes_back_what_followed_and_completing_makes_it_again(scene, weekly):
    following = complete(scene.owner, weekly)
    key = scene.owner.get(following).json["key"]
    assert opened(scene) == ["2026-12-08"]
    assert reopen(scene.member(), weekly)["next_task_id"] is None  # also when another member undoes it
    assert_problem(scene.owner.get(following), 404)
    assert opened(scene) == ["2026-12-01"]
    assert complete(scene.owner, weekly) == following
    again = scene.owner.get(following).json
    assert (again["due"], again["key"], again["recurrence"]) == ("2026-12-08", key, "FREQ=WEEKLY")
    assert complete(scene.owner, following)
    assert opened(scene) == ["2026-12-15"]


def by_status(client, path):
    return patch(client, path, {"status": "open"}).status_code


def by_bulk(client, path):
    body = {"operations": [{"op": "reopen", "task_id": path.rpartition("/")[2]}]}
    return client.post(f"{TASKS}/bulk", json=body).status_code


def by_bulk_status(client, path):
    operation = {"op": "update", "task_id": path.rpartition("/")[2], "task": {"status": "in_progress"}}
    return client.post(f"{TASKS}/bulk", json={"operations": [operation]}).status_code


def by_way_of_cancelled(client, path):
    assert patch(client, path, {"status": "cancelled"}).status_code == 200
    return by_status(client, path)


@pytest.mark.parametrize("undo", [by_status, by_bulk, by_bulk_status, by_way_of_cancelled])
def test_every_way_to_open_a_task_again_takes_back_what_followed(scene, weekly, undo):
    following = complete(scene.owner, weekly)
    assert undo(scene.owner, weekly) == 200
    assert_problem(scene.owner.get(following), 404)
    assert scene.owner.get(weekly).json["next_task_id"] is None
    assert complete(scene.owner, weekly)
    assert opened(scene) == ["2026-12-08"]


TOUCHES = {
    "edited": lambda scene, path: patch(scene.owner, path, {"title": "Water the plants", "priority": "high"}),
    "assigned": lambda scene, path: patch(scene.owner, path, {"assignee_ids": [str(scene.owner.user.id)]}),
    "moved in time": lambda scene, path: patch(scene.owner, path, {"due": "2026-12-09"}),
    "commented": lambda scene, path: scene.owner.post(f"{path}/comments", json={"text": "The ficus too"}),
    "attached": lambda scene, path: attach(scene.owner, path),
    "reminded": lambda scene, path: scene.owner.post(f"{path}/reminders", json={"at": "2027-01-01T09:00:00Z"}),
    "related": lambda scene, path: scene.owner.post(
        f"{path}/relations", json={"kind": "relates", "task_id": str(scene.task.id)}
    ),
    "watched": lambda scene, path: scene.owner.put(f"{path}/watchers/{scene.owner.user.id}", headers=ANY),
    "a subtask": lambda scene, path: scene.owner.post(
        scene.tasks_path, json={"title": "Fill the can", "parent_id": path.rpartition("/")[2]}
    ),
    "placed": lambda scene, path: scene.owner.put(f"{path}/position", json={"at": "first"}, headers=ANY),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_what_was_touched_stays_and_alone_carries_the_series_on(scene, weekly, touch):
    following = complete(scene.owner, weekly)
    assert TOUCHES[touch](scene, following).status_code in (200, 201, 204)
    assert reopen(scene.owner, weekly)["next_task_id"] == following.rpartition("/")[2]
    assert len(opened(scene)) == 2
    assert complete(scene.owner, weekly) == following  # and no other
    assert len(opened(scene)) == 1
    last = complete(scene.owner, following)
    assert len(opened(scene)) == 1
    reopen(scene.owner, weekly)
    complete(scene.owner, weekly)
    assert complete(scene.owner, last)
    assert len(opened(scene)) == 1


def label_deleted(scene, path):
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "green"}).json
    patch(scene.owner, path, {"label_ids": [label["id"]]})
    yield
    yield scene.owner.delete(f"{scene.project_path}/labels/{label['id']}", headers=ANY)


def custom_field_deleted(scene, path):
    body = {"key": "litres", "name": "Litres", "type": "number"}
    field = scene.owner.post(f"{scene.project_path}/custom-fields", json=body).json
    patch(scene.owner, path, {"custom_fields": {"litres": 2}})
    yield
    yield scene.owner.delete(f"{scene.project_path}/custom-fields/{field['id']}", headers=ANY)


def member_removed(scene, path):
    member = scene.member()
    patch(scene.owner, path, {"assignee_ids": [str(member.user.id)]})
    scene.owner.put(f"{path}/watchers/{member.user.id}", headers=ANY)
    yield
    yield scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers=ANY)


def zone_of_the_project_changed(scene, path):
    yield
    yield patch(scene.owner, scene.project_path, {"timezone": "Asia/Tokyo"})


@pytest.mark.parametrize("happens", [label_deleted, custom_field_deleted, member_removed, zone_of_the_project_changed])
def test_what_the_service_changes_by_itself_is_no_touch(scene, weekly, deliver, happens):
    steps = happens(scene, weekly)
    next(steps)
    following = complete(scene.owner, weekly)
    before = scene.owner.get(following)
    assert next(steps).status_code in (200, 204)
    deliver()
    after = scene.owner.get(following)
    assert after.headers["ETag"] != before.headers["ETag"]  # it was changed
    assert reopen(scene.owner, weekly)["next_task_id"] is None
    assert opened(scene) == ["2026-12-01"]
    assert complete(scene.owner, weekly) == following


def test_an_edit_after_what_the_service_changed_is_a_touch(scene, weekly, deliver):
    following = complete(scene.owner, weekly)
    patch(scene.owner, scene.project_path, {"timezone": "Asia/Tokyo"})
    deliver()
    patch(scene.owner, following, {"title": "Water the ficus"})
    assert reopen(scene.owner, weekly)["next_task_id"] == following.rpartition("/")[2]


def test_reminders_go_along_and_back(scene, weekly):
    scene.owner.post(f"{weekly}/reminders", json={"relative_to": "due", "minutes_before": 30})
    following = complete(scene.owner, weekly)
    for _ in range(2):
        kept = [scene.owner.get(f"{path}/reminders").json["items"] for path in (weekly, following)]
        assert [[item["fire_at"] for item in items] for items in kept] == [[], ["2026-12-08T08:30:00.000Z"]]
        reopen(scene.owner, weekly)
        (back,) = scene.owner.get(f"{weekly}/reminders").json["items"]
        assert back["fire_at"] == "2026-12-01T08:30:00.000Z"
        assert complete(scene.owner, weekly) == following


def test_reminders_that_went_along_are_no_touch(scene, weekly):
    scene.owner.post(f"{weekly}/reminders", json={"relative_to": "due", "minutes_before": 30})
    following = complete(scene.owner, weekly)
    reopen(scene.owner, weekly)
    assert complete(scene.owner, weekly) == following
    assert len(scene.owner.get(f"{following}/reminders").json["items"]) == 1


def test_a_series_goes_on_when_what_followed_was_deleted(scene, weekly):
    delete(scene.owner, complete(scene.owner, weekly))
    assert reopen(scene.owner, weekly)["next_task_id"] is None
    assert opened(scene) == ["2026-12-01"]
    assert complete(scene.owner, weekly)
    assert opened(scene) == ["2026-12-08"]


def test_a_series_goes_on_when_what_followed_was_touched_and_deleted_after_reopening(scene, weekly):
    following = complete(scene.owner, weekly)
    patch(scene.owner, following, {"priority": "high"})
    reopen(scene.owner, weekly)
    delete(scene.owner, following)
    again = complete(scene.owner, weekly)
    assert again not in (None, following)
    assert scene.owner.post(f"{following}/restore").status_code == 200  # both are open now: the newer one goes on
    assert complete(scene.owner, following) is None
    assert complete(scene.owner, again)
    assert opened(scene) == ["2026-12-15"]


def test_a_series_goes_on_when_what_followed_was_cancelled(scene, weekly):
    following = complete(scene.owner, weekly)
    patch(scene.owner, following, {"status": "cancelled"})
    reopen(scene.owner, weekly)
    assert complete(scene.owner, weekly) not in (None, following)
    assert opened(scene) == ["2026-12-08"]


def test_a_count_does_not_go_down_by_undoing(scene):
    body = {"title": "Water the plants", "due": "2026-12-01", "recurrence": "FREQ=WEEKLY;COUNT=2"}
    path = f"{TASKS}/{scene.owner.post(scene.tasks_path, json=body).json['id']}"
    for _ in range(3):
        last = complete(scene.owner, path)
        assert scene.owner.get(last).json["recurrence"] == "FREQ=WEEKLY;COUNT=1"
        reopen(scene.owner, path)
    assert complete(scene.owner, complete(scene.owner, path)) is None


def test_a_parent_counts_what_followed_once(scene, weekly):
    patch(scene.owner, weekly, {"parent_id": str(scene.task.id)})
    for _ in range(2):
        complete(scene.owner, weekly)
        assert scene.owner.get(scene.task_path).json["progress"] == {"total": 2, "done": 1}
        reopen(scene.owner, weekly)
        assert scene.owner.get(scene.task_path).json["progress"] == {"total": 1, "done": 0}


def test_what_followed_in_a_project_that_the_task_left_goes_too(scene, weekly):
    following = complete(scene.owner, weekly)
    other = ProjectFactory(owner=scene.owner.user)
    assert scene.owner.post(f"{weekly}/move", json={"project_id": str(other.id)}).status_code == 200
    reopen(scene.owner, weekly)
    assert_problem(scene.owner.get(following), 404)
    made = scene.owner.get(complete(scene.owner, weekly)).json
    assert (made["project_id"], made["key"].split("-")[0]) == (str(other.id), other.key)


def test_a_repeated_request_undoes_nothing_twice(scene, weekly):
    complete(scene.owner, weekly)
    for _ in range(2):
        reopen(scene.owner, weekly)
    assert opened(scene) == ["2026-12-01"]


def test_completions_and_reopenings_at_once_leave_one_open(scene, weekly):
    actor, task_id = actor_of(scene.owner.user), ObjectId(weekly.rpartition("/")[2])

    def either(number):
        (tasks.reopen if number % 3 == 0 else tasks.complete)(task_id, if_match=None, actor=actor)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(either, range(24)))
    complete(scene.owner, weekly)
    assert opened(scene) == ["2026-12-08"]
    assert Task.objects(series_id=task_id).count() == 1


def copied(scene):
    body = {"key": "COPY", "name": "Copy", "with_tasks": True}
    made = scene.owner.post(f"{scene.project_path}/copy", json=body)
    assert made.status_code == 201, made.text
    items = scene.owner.get(f"/api/v1/projects/{made.json['id']}/tasks").json["items"]
    return sorted((item["due"], item["recurrence"]) for item in items if item["title"] == "Water the plants")


def test_a_copy_of_a_project_has_the_open_task_of_a_series_only(scene, weekly):
    path = weekly
    for _ in range(3):
        path = complete(scene.owner, path)
    assert copied(scene) == [("2026-12-22", "FREQ=WEEKLY")]


def test_a_copy_gives_the_rule_to_one_task_of_a_series(scene, weekly):
    following = complete(scene.owner, weekly)
    patch(scene.owner, following, {"priority": "high"})
    reopen(scene.owner, weekly)
    assert copied(scene) == [("2026-12-01", None), ("2026-12-08", "FREQ=WEEKLY")]


def test_a_copy_of_a_series_that_is_over_has_its_last_task_without_the_rule(scene, weekly):
    delete(scene.owner, complete(scene.owner, weekly))
    assert copied(scene) == [("2026-12-01", None)]


def test_the_last_of_a_series_can_be_moved(scene):
    body = {"title": "Last", "due": "2026-12-30", "recurrence": "FREQ=DAILY;UNTIL=20261231"}
    path = f"{TASKS}/{scene.owner.post(scene.tasks_path, json=body).json['id']}"
    for due in ("2026-12-31", "2026-12-31", "2027-01-02"):
        assert patch(scene.owner, path, {"due": due}).json["due"] == due
    assert_problem(patch(scene.owner, path, {"recurrence": "FREQ=DAILY;UNTIL=20261231"}), 422)
