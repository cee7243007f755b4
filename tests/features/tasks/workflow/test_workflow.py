"""The workflow of a project: own statuses in four groups."""

import pytest
import time_machine

from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import TaskFactory
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}
REVIEW = [
    {"key": "open", "name": "To do", "group": "backlog", "color": "#aabbcc"},
    {"key": "review", "name": "In review", "group": "active"},
    {"key": "shipped", "name": "Shipped", "group": "done"},
    {"key": "done", "name": "Done", "group": "done"},
]


def replace(client, scene, statuses, **headers):
    return client.put(f"{scene.project_path}/statuses", json={"statuses": statuses}, headers=ANY | headers)


def test_a_new_project_has_the_default_workflow(scene):
    answer = scene.member("viewer").get(f"{scene.project_path}/statuses")
    assert [(status["key"], status["group"]) for status in answer.json["statuses"]] == [
        ("open", "backlog"),
        ("in_progress", "active"),
        ("done", "done"),
        ("cancelled", "cancelled"),
    ]
    assert answer.headers["ETag"] == scene.owner.get(scene.project_path).headers["ETag"]


def test_tasks_go_through_the_projects_own_statuses(scene):
    answer = replace(scene.owner, scene, REVIEW)
    assert answer.status_code == 200, answer.text
    assert [status["key"] for status in answer.json["statuses"]] == ["open", "review", "shipped", "done"]
    task = patch(scene.owner, scene.task_path, {"status": "review"}).json
    assert (task["status"], task["status_group"], task["completed_at"]) == ("review", "active", None)
    task = scene.owner.put(f"{scene.task_path}/completion", headers=ANY).json
    assert (task["status"], task["status_group"]) == ("shipped", "done")
    assert task["completed_at"]
    kept = patch(scene.owner, scene.task_path, {"status": "done"}).json
    assert (kept["status"], kept["completed_at"]) == ("done", task["completed_at"])
    task = scene.owner.delete(f"{scene.task_path}/completion", headers=ANY).json
    assert (task["status"], task["status_group"], task["completed_at"]) == ("open", "backlog", None)
    listed = scene.owner.get(scene.tasks_path, query_string={"filter": "status_group in [backlog, active]"}).json
    assert len(listed["items"]) == 1


def test_a_status_that_the_project_does_not_have_is_refused(scene):
    for answer in (
        patch(scene.owner, scene.task_path, {"status": "review"}),
        scene.owner.post(scene.tasks_path, json={"title": "x", "status": "review"}),
    ):
        assert assert_problem(answer, 422)["errors"][0]["code"] == "task.status_unknown"


def test_a_status_that_tasks_have_stays(scene):
    in_trash = TaskFactory(project=scene.project, status="in_progress")
    scene.owner.delete(f"/api/v1/tasks/{in_trash.id}", headers=ANY)
    problem = assert_problem(replace(scene.owner, scene, REVIEW), 409, code="status.in_use")
    assert problem["statuses"] == ["in_progress"]
    moved = [{**status, "group": "cancelled"} if status["key"] == "open" else status for status in REVIEW]
    problem = assert_problem(replace(scene.owner, scene, [*moved, REVIEW[1] | {"key": "in_progress"}]), 409)
    assert problem["statuses"] == ["open"]


@pytest.mark.parametrize(
    "statuses",
    [
        [],
        REVIEW[:2],
        REVIEW[2:],
        [*REVIEW, REVIEW[0]],
        [*REVIEW, {"key": "Bad key", "name": "x", "group": "done"}],
        [*REVIEW, {"key": "x", "name": "x", "group": "else"}],
        [*REVIEW, {"key": "x", "group": "done"}],
        [{"key": f"s{n}", "name": "x", "group": "done"} for n in range(60)],
    ],
)
def test_a_workflow_that_makes_no_sense_is_refused(scene, statuses):
    assert_problem(replace(scene.owner, scene, statuses), 422)


def test_the_workflow_is_for_managers_and_guarded_by_the_projects_etag(scene):
    assert_problem(replace(scene.member(), scene, REVIEW), 403)
    assert_problem(replace(scene.who("stranger"), scene, REVIEW), 404)
    assert_problem(replace(scene.owner, scene, REVIEW, **{"If-Match": '"77"'}), 412)
    assert replace(scene.member("manager"), scene, REVIEW).status_code == 200


def test_when_a_task_was_begun_stays_what_it_first_was(scene):
    """Work is counted from its first beginning, however often it goes back and forth."""
    with time_machine.travel("2026-11-24T12:00:00Z", tick=False) as clock:
        owner = sign_in(scene.app, scene.owner.user)
        begun = patch(owner, scene.task_path, {"status": "in_progress"}).json["started_at"]
        assert begun == "2026-11-24T12:00:00.000Z"
        for status in ("open", "in_progress", "done", "in_progress"):
            clock.shift(60)
            assert patch(owner, scene.task_path, {"status": status}).json["started_at"] == begun
