"""Saved views: one's own, and shared with a project."""

import pytest

from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}
MINE = {"name": "Mine", "filter": "assignee = me and status_group != done", "sort": "-priority,due_at"}


def save(client, path, **body):
    answer = client.post(path, json=MINE | body)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


@pytest.fixture
def views(scene):
    return f"{scene.project_path}/views"


def titles(client, path, **query):
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json["items"]]


def test_a_shared_view_means_each_reader(scene, views):
    other = scene.member()
    TaskFactory(project=scene.project, title="low", priority=1, assignees=(other.user,))
    TaskFactory(project=scene.project, title="high", priority=3, assignees=(other.user,))
    TaskFactory(project=scene.project, title="owner's", assignees=(scene.owner.user,))
    path = save(scene.owner, views, shared=True)
    assert titles(other, f"{path}/tasks") == ["high", "low"]
    assert titles(scene.owner, f"{path}/tasks") == ["owner's"]
    assert titles(scene.member("viewer"), f"{path}/tasks") == []
    page = other.get(f"{path}/tasks?limit=1&with_total=true&expand=assignees&fields=title").json
    assert (page["total"], page["items"][0].keys()) == (2, {"title", "assignees"})
    assert titles(other, f"{path}/tasks", limit=1, cursor=page["next_cursor"]) == ["low"]


def test_a_cursor_ends_with_the_view_that_made_it(scene, views):
    path = save(scene.owner, views, filter=None, sort="created_at")
    TaskFactory(project=scene.project)
    cursor = scene.owner.get(f"{path}/tasks?limit=1").json["next_cursor"]
    assert patch(scene.owner, path, {"sort": "-due_at"}).status_code == 200
    assert_problem(scene.owner.get(f"{path}/tasks", query_string={"limit": 1, "cursor": cursor}), 400)


def test_ones_own_view_belongs_to_no_one_else(scene, views):
    member, viewer = scene.member(), scene.member("viewer")
    path = save(viewer, views)
    for client in (member, scene.owner):
        assert client.get(views).json["items"] == []
        assert_problem(client.get(path), 404)
        assert_problem(client.get(f"{path}/tasks"), 404)
        assert_problem(patch(client, path, {"name": "x"}), 404)
        assert_problem(client.delete(path, headers=ANY), 404)
    assert [view["name"] for view in viewer.get(views).json["items"]] == ["Mine"]
    assert_problem(scene.who("stranger").get(views), 404)


def test_sharing_needs_a_member_and_managing_a_manager(scene, views):
    viewer, member, manager = scene.member("viewer"), scene.member(), scene.member("manager")
    assert_problem(viewer.post(views, json=MINE | {"shared": True}), 403)
    assert_problem(patch(viewer, save(viewer, views), {"shared": True}), 403)
    path = save(member, views, shared=True)
    assert_problem(patch(viewer, path, {"name": "x"}), 403, code="view.not_yours")
    assert patch(manager, path, {"name": "Ours"}).json["name"] == "Ours"
    assert patch(member, path, {"filter": None}).json["filter"] is None
    assert_problem(member.delete(path), 428)
    assert manager.delete(path, headers=ANY).status_code == 204
    assert_problem(member.get(path), 404)


def test_a_view_without_a_project_is_over_all_of_them(scene):
    other = ProjectFactory(owner=scene.owner.user)
    TaskFactory(project=other, title="there")
    path = save(scene.owner, "/api/v1/views", filter='title ~ "e"', sort="created_at")
    assert titles(scene.owner, f"{path}/tasks") == ["Write the notes", "there"]
    assert_problem(scene.who("stranger").get(path), 404)
    assert_problem(patch(scene.owner, path, {"shared": True}), 409, code="view.no_project")
    assert patch(scene.owner, path, {"sort": "-created_at"}).status_code == 200
    assert titles(scene.owner, f"{path}/tasks") == ["there", "Write the notes"]
    assert scene.owner.delete(path, headers=ANY).status_code == 204


@pytest.mark.parametrize(
    "body",
    [
        {"filter": "statu = open"},
        {"filter": "x" * 2000},
        {"sort": "description"},
        {"sort": ""},
        {"name": ""},
        {"shared": 1},
    ],
)
def test_a_view_that_could_not_be_shown_is_refused(scene, views, body):
    assert_problem(scene.owner.post(views, json=MINE | body), 422)
    assert_problem(patch(scene.owner, save(scene.owner, views), body), 422)
