"""What `expand` embeds: without a query for each row, and never what the caller may not see."""

import pytest

from taskmanager.testing.factories import MembershipFactory, TaskFactory, UserFactory
from tests.features.test_matrix import token_client
from tests.problems import assert_problem
from tests.scene import patch
from tests.web.counting import commands as counted

EVERYTHING = "assignees,watchers,reporter,labels,project,parent"


@pytest.fixture
def rich(scene):
    """The task of the scene with everything that can be embedded."""
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug", "color": "#aa0000"}).json
    body = {"label_ids": [label["id"]], "assignee_ids": [str(scene.owner.user.id)]}
    assert patch(scene.owner, scene.task_path, body).status_code == 200
    return scene


def test_people_labels_and_projects_are_embedded(rich):
    task = rich.owner.get(f"{rich.task_path}?expand={EVERYTHING}").json
    person = {"id": str(rich.owner.user.id), "name": rich.owner.user.name, "email": rich.owner.user.email}
    assert (task["assignees"], task["reporter"], task["watchers"], task["parent"]) == ([person], person, [], None)
    assert [(label["name"], label["color"]) for label in task["labels"]] == [("bug", "#aa0000")]
    assert task["project"]["key"] == rich.project.key
    listed = rich.owner.get(f"{rich.tasks_path}?expand={EVERYTHING}").json["items"]
    assert listed == [task]
    assert rich.owner.get(f"/api/v1/tasks/by-key/{task['key']}?expand=labels").json["labels"] == task["labels"]


def test_sparse_answers_can_be_embedded_too(rich):
    task = rich.owner.get(f"{rich.tasks_path}?expand=assignees&fields=id,title").json["items"][0]
    assert task.keys() == {"id", "title", "assignees"}
    assert task["assignees"][0]["name"] == rich.owner.user.name


def test_a_list_costs_a_query_for_each_sort_of_thing_and_not_for_each_row(rich):
    path = f"{rich.tasks_path}?expand={EVERYTHING}"
    rich.owner.get(path)
    costs = []
    for _ in range(2):
        with counted.counting() as seen:
            assert rich.owner.get(path).status_code == 200
        costs.append(len(seen))
        for _ in range(5):
            TaskFactory(project=rich.project, assignees=(rich.owner.user,))
    assert costs[0] == costs[1] <= 4


def test_the_etag_tells_when_what_is_embedded_changes(rich):
    path = f"{rich.task_path}?expand=labels"
    before = rich.owner.get(path)
    tag = {"If-None-Match": before.headers["ETag"]}
    assert rich.owner.get(path, headers=tag).status_code == 304
    label = f"{rich.project_path}/labels/{before.json['label_ids'][0]}"
    patch(rich.owner, label, {"name": "defect"})
    assert rich.owner.get(path, headers=tag).json["labels"][0]["name"] == "defect"
    written = {"If-Match": before.headers["ETag"]}
    assert rich.owner.patch(rich.task_path, json={"title": "x"}, headers=written).status_code == 200
    assert_problem(rich.owner.patch(rich.task_path, json={"title": "y"}, headers=written), 412)


def test_a_token_sees_embedded_only_what_it_may_see(rich):
    client = token_client(rich, ["tasks:read"])
    assert client.get(rich.task_path).status_code == 200
    assert_problem(client.get(f"{rich.task_path}?expand=assignees"), 403, code="auth.scope_missing")
    assert_problem(client.get(f"{rich.tasks_path}?expand=labels"), 403, code="auth.scope_missing")


@pytest.mark.parametrize(
    "value", ["", "nothing", "assignees,,labels", "Assignees", "project.owner", "assignees, labels"]
)
def test_what_cannot_be_embedded_is_refused(scene, value):
    assert_problem(scene.owner.get(scene.tasks_path, query_string={"expand": value}), 422)


def test_who_has_left_is_told_without_an_address(rich, deliver):
    gone = UserFactory()
    MembershipFactory(project=rich.project, user=gone)
    patch(rich.owner, rich.task_path, {"assignee_ids": [str(gone.id)]})
    assert rich.owner.get(f"{rich.task_path}?expand=assignees").json["assignees"][0]["email"] == gone.email
