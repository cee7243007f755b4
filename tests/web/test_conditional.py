"""ETags and preconditions: 304 for what the client has, and one winner among those who change the same thing."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from taskmanager.features.projects.models import Membership
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory
from tests.problems import assert_problem
from tests.scene import patch


def test_twenty_patches_with_one_etag_have_one_winner(scene, server):
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"], "If-Match": '"1"'}

    def send(number):
        body = {"title": f"Title {number}"}
        return requests.patch(server.url + scene.task_path, json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(send, range(20)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] + [412] * 19
    winner = next(answer.json() for answer in answers if answer.ok)
    assert scene.owner.get(scene.task_path).json == winner
    assert winner["revision"] == 2


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "task_path"),
        ("DELETE", "task_path"),
        ("PATCH", "project_path"),
        ("DELETE", "project_path"),
    ],
)
def test_a_change_needs_if_match(scene, method, path):
    body = {"json": {}} if method == "PATCH" else {}
    answer = scene.owner.open(getattr(scene, path), method=method, **body)
    assert_problem(answer, 428, code="precondition.required")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_completing_and_reopening_need_if_match(scene, method):
    answer = scene.owner.open(f"{scene.task_path}/completion", method=method)
    assert_problem(answer, 428, code="precondition.required")


def test_a_stale_etag_is_refused_and_changes_nothing(scene):
    old = scene.owner.get(scene.task_path).headers["ETag"]
    patch(scene.owner, scene.task_path, {"title": "Newer"})
    assert_problem(patch(scene.owner, scene.task_path, {"title": "Late"}, **{"If-Match": old}), 412)
    assert scene.owner.get(scene.task_path).json["title"] == "Newer"


@pytest.mark.parametrize("path", ["task_path", "project_path"])
def test_a_stale_delete_is_refused(scene, path):
    address = getattr(scene, path)
    patch(scene.owner, address, {"description": "Newer"})
    assert_problem(scene.owner.delete(address, headers={"If-Match": '"1"'}), 412)
    assert scene.owner.get(address).status_code == 200


def test_each_answer_to_a_change_has_the_etag_for_the_next(scene):
    etag = scene.owner.get(scene.task_path).headers["ETag"]
    for number in range(3):
        answer = patch(scene.owner, scene.task_path, {"title": f"Title {number}"}, **{"If-Match": etag})
        assert answer.status_code == 200
        etag = answer.headers["ETag"]
    assert scene.owner.get(scene.task_path).headers["ETag"] == etag


def test_the_etag_of_a_new_task_is_good_for_its_first_change(scene):
    made = scene.owner.post(scene.tasks_path, json={"title": "New"})
    answer = patch(scene.owner, made.headers["Location"], {"title": "b"}, **{"If-Match": made.headers["ETag"]})
    assert answer.status_code == 200


def test_etags_are_strong(scene):
    assert not scene.owner.get(scene.task_path).headers["ETag"].startswith("W/")


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
def test_if_match_holds_after_a_compressed_get(scene, encoding):
    patch(scene.owner, scene.task_path, {"description": "long " * 500})
    got = scene.owner.get(scene.task_path, headers={"Accept-Encoding": encoding})
    assert got.headers["Content-Encoding"] == encoding
    answer = patch(scene.owner, scene.task_path, {"title": "b"}, **{"If-Match": got.headers["ETag"]})
    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["identity", "gzip", "br", "zstd"])
def test_if_none_match_holds_in_every_encoding(scene, encoding):
    patch(scene.owner, scene.task_path, {"description": "long " * 500})
    headers = {"Accept-Encoding": encoding}
    etag = scene.owner.get(scene.task_path, headers=headers).headers["ETag"]
    for path in (scene.task_path, scene.tasks_path):
        etag = scene.owner.get(path, headers=headers).headers["ETag"]
        answer = scene.owner.get(path, headers=headers | {"If-None-Match": etag})
        assert (answer.status_code, answer.data) == (304, b"")


def test_a_change_of_nothing_keeps_the_revision_and_records_nothing(scene, app):
    before = scene.owner.get(scene.task_path)
    after = patch(scene.owner, scene.task_path, {"title": before.json["title"]})
    assert (after.status_code, after.json, after.headers["ETag"]) == (200, before.json, before.headers["ETag"])


# --- 304 ------------------------------------------------------------------------------------------------------


def kept(client, path):
    """The status of asking again with the ETag that was given before: 304 while nothing has changed."""
    etag = client.get(path).headers["ETag"]
    return lambda: client.get(path, headers={"If-None-Match": etag}).status_code


@pytest.mark.parametrize("path", ["task_path", "project_path", "tasks_path", "members_path"])
def test_what_the_client_has_is_a_304_with_its_etag_and_no_body(scene, path):
    address = getattr(scene, path)
    etag = scene.owner.get(address).headers["ETag"]
    answer = scene.owner.get(address, headers={"If-None-Match": f'"other", {etag}'})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert "Content-Type" not in answer.headers or not answer.data


@pytest.mark.parametrize("path", ["task_path", "tasks_path"])
def test_any_etag_is_a_304_by_a_star(scene, path):
    assert scene.owner.get(getattr(scene, path), headers={"If-None-Match": "*"}).status_code == 304


def test_a_weak_etag_is_good_enough_to_read(scene):
    etag = scene.owner.get(scene.task_path).headers["ETag"]
    assert scene.owner.get(scene.task_path, headers={"If-None-Match": f"W/{etag}"}).status_code == 304


@pytest.mark.parametrize("path", ["task_path", "tasks_path"])
def test_a_304_ends_with_a_change(scene, path):
    again = kept(scene.owner, getattr(scene, path))
    assert again() == 304
    patch(scene.owner, scene.task_path, {"title": "Another"})
    assert again() == 200


def test_the_304_of_a_list_ends_with_a_new_and_with_a_deleted_row(scene):
    again = kept(scene.owner, scene.tasks_path)
    task = TaskFactory(project=scene.project)
    assert again() == 200
    again = kept(scene.owner, scene.tasks_path)
    scene.owner.delete(f"/api/v1/tasks/{task.id}", headers={"If-Match": "*"})
    assert again() == 200


def test_the_304_of_a_list_depends_on_what_is_asked_for(scene):
    etag = scene.owner.get(scene.tasks_path).headers["ETag"]
    answer = scene.owner.get(f"{scene.tasks_path}?fields=id", headers={"If-None-Match": etag})
    assert answer.status_code == 200


def test_a_lost_membership_is_not_hidden_by_a_304(scene):
    member = scene.member("member")
    lists, item = kept(member, "/api/v1/tasks"), kept(member, scene.task_path)
    assert (lists(), item()) == (304, 304)
    removed = scene.owner.delete(f"{scene.members_path}/{member.user.id}", headers={"If-Match": "*"})
    assert removed.status_code == 204
    assert (lists(), item()) == (200, 404)
    assert member.get("/api/v1/tasks").json["items"] == []


def test_two_people_do_not_share_the_etag_of_a_list(scene):
    etag = scene.owner.get("/api/v1/tasks").headers["ETag"]
    assert scene.who("stranger").get("/api/v1/tasks", headers={"If-None-Match": etag}).status_code == 200


# --- races beside the tasks -----------------------------------------------------------------------------------


def test_two_owners_who_leave_at_the_same_moment_leave_one_owner(scene, server):
    other = scene.member("owner")

    def leave(client):
        headers = {"Authorization": client.environ_base["HTTP_AUTHORIZATION"], "If-Match": "*"}
        return requests.delete(f"{server.url}{scene.members_path}/{client.user.id}", headers=headers, timeout=60)

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(leave, [scene.owner, other]))
    assert sorted(answer.status_code for answer in answers) in ([204, 403], [204, 404], [204, 409])
    assert Membership.objects(project_id=scene.project.id, role="owner").count() == 1


def test_tasks_made_at_the_same_moment_have_numbers_without_gaps(scene, server):
    headers = {"Authorization": scene.owner.environ_base["HTTP_AUTHORIZATION"]}

    def make(number):
        body = {"title": f"Task {number}"}
        return requests.post(server.url + scene.tasks_path, json=body, headers=headers, timeout=60)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(make, range(12)))
    assert {answer.status_code for answer in answers} == {201}, [answer.text for answer in answers]
    keys = set(Task.objects(project_id=scene.project.id).scalar("key"))
    assert keys == {f"{scene.project.key}-{number}" for number in range(1, 14)}
