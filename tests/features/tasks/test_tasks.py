"""Tasks: what can be done with them."""

import pytest
from bson import ObjectId

from taskmanager.core.events.log import Event
from tests.problems import assert_problem
from tests.scene import patch
from tests.web.counting import commands


def create(scene, **body):
    return scene.owner.post(scene.tasks_path, json={"title": "Write"} | body)


def test_keys_count_up_and_are_never_given_again(scene):
    first = create(scene).json
    scene.owner.delete(f"/api/v1/tasks/{first['id']}", headers={"If-Match": "*"})
    second = create(scene).json
    assert int(second["key"].split("-")[1]) == int(first["key"].split("-")[1]) + 1


def test_a_new_task_says_where_it_is_and_which_revision(scene):
    answer = create(scene, priority="high", due="2026-12-01", assignee_ids=[str(scene.owner.user.id)])
    assert answer.headers["Location"] == f"/api/v1/tasks/{answer.json['id']}"
    assert answer.headers["ETag"] == '"1"'
    assert answer.json == scene.owner.get(answer.headers["Location"]).json
    assert (answer.json["priority"], answer.json["status"], answer.json["due"]) == ("high", "open", "2026-12-01")


@pytest.mark.parametrize(
    ("due", "sorts_at"),
    [
        ("2026-12-01", "2026-12-01T23:59:59.999Z"),
        ("2026-12-01T09:00", "2026-12-01T09:00:00.000Z"),
        ("2026-12-01T09:00:00", "2026-12-01T09:00:00.000Z"),
        ("2026-12-01T09:00:00+02:00", "2026-12-01T07:00:00.000Z"),
    ],
)
def test_the_three_kinds_of_due(scene, due, sorts_at):
    answer = create(scene, due=due).json
    assert (answer["due"], answer["due_at"]) == (due, sorts_at)


@pytest.mark.parametrize("due", ["tomorrow", "2026-02-30", "2026-13-01", "0000-01-01", "2026-12-01T25:00", 7, ""])
def test_what_is_no_due_is_refused(scene, due):
    assert assert_problem(create(scene, due=due), 422)["errors"][0]["location"] == "body.due"


def test_null_clears_and_absent_stays(scene):
    task = create(scene, due="2026-12-01", description="Long").json
    changed = patch(scene.owner, f"/api/v1/tasks/{task['id']}", {"due": None}).json
    assert (changed["due"], changed["due_at"], changed["description"]) == (None, None, "Long")


def test_a_title_cannot_be_cleared(scene):
    assert patch(scene.owner, scene.task_path, {"title": None}).status_code == 422


def test_a_change_of_nothing_is_no_change(scene):
    before = Event.objects.count()
    answer = patch(scene.owner, scene.task_path, {"title": scene.task.title})
    assert answer.json["revision"] == 1
    assert Event.objects.count() == before


def test_completing_reopening_and_once_more(scene):
    done = scene.owner.put(f"{scene.task_path}/completion", headers={"If-Match": "*"}).json
    assert done["status"] == "done" and done["completed_at"]
    again = scene.owner.put(f"{scene.task_path}/completion", headers={"If-Match": "*"}).json
    assert again == done
    opened = scene.owner.delete(f"{scene.task_path}/completion", headers={"If-Match": "*"}).json
    assert (opened["status"], opened["completed_at"]) == ("open", None)


def test_the_status_done_by_patch_completes_too(scene):
    assert patch(scene.owner, scene.task_path, {"status": "done"}).json["completed_at"]
    assert patch(scene.owner, scene.task_path, {"status": "in_progress"}).json["completed_at"] is None


def test_a_deleted_task_is_gone(scene):
    assert scene.owner.delete(scene.task_path, headers={"If-Match": '"1"'}).status_code == 204
    assert scene.owner.get(scene.task_path).status_code == 404
    assert scene.owner.get(scene.tasks_path).json["items"] == []
    assert scene.owner.delete(scene.task_path, headers={"If-Match": "*"}).status_code == 404


def test_only_members_can_be_assigned(scene, caller):
    stranger = caller()
    for answer in (
        create(scene, assignee_ids=[str(stranger.user.id)]),
        patch(scene.owner, scene.task_path, {"assignee_ids": [str(stranger.user.id)]}),
    ):
        assert assert_problem(answer, 422)["errors"][0]["code"] == "task.not_a_member"


@pytest.mark.parametrize("field", ["id", "key", "project_id", "reporter_id", "revision", "completed_at", "due_at"])
def test_what_the_service_decides_cannot_be_sent(scene, field):
    assert assert_problem(create(scene, **{field: "1"}), 422)["errors"][0]["code"] == "unknown_field"


def test_every_write_records_one_event_with_what_changed(scene):
    patch(scene.owner, scene.task_path, {"title": "Other", "priority": "high"})
    event = Event.objects(subject_id=scene.task.id).order_by("-seq").first()
    assert event.kind == "task.updated"
    assert event.actor_id == scene.owner.user.id
    assert event.data["changes"] == {"title": ["Write the notes", "Other"], "priority": [0, 3]}


@pytest.mark.parametrize(
    "body",
    [
        {"assignee_ids": [str(ObjectId())]},
        {"label_ids": [str(ObjectId())]},
        {"custom_fields": {"unknown": 1}},
        {"parent_id": str(ObjectId())},
    ],
    ids=lambda body: next(iter(body)),
)
def test_what_a_new_task_names_is_checked_before_the_counter_moves(scene, body):
    with commands.counting() as seen:
        assert_problem(create(scene, **body), 422)
    assert [
        event for event in seen if event.command_name == "findAndModify" and "projects" in event.command.values()
    ] == []


@pytest.mark.parametrize("body", [{"assignee_ids": [str(ObjectId())]}, {"status": "unknown"}, {"recurrence": "daily"}])
def test_a_refused_task_takes_no_number(scene, body):
    before = create(scene).json
    assert_problem(create(scene, **body), 422)
    after = create(scene).json
    numbers = [int(task["key"].split("-")[1]) for task in (before, after)]
    assert numbers[1] == numbers[0] + 1
