"""Views keep what the names in their filters meant: a label may be renamed, and what is gone is told."""

import pytest

from migrations.scripts import m202611270011_stored_filters as migration
from taskmanager.core.events.log import Event
from taskmanager.features.views.models import View
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}


def make_label(client, project, name):
    answer = client.post(f"/api/v1/projects/{project.id}/labels", json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json["id"]


def save(client, place, text, **more):
    answer = client.post(f"{place}/views", json={"name": "v", "filter": text, "sort": "created_at"} | more)
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def titles(client, path):
    answer = client.get(f"{path}/tasks")
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json["items"]]


@pytest.fixture
def bug(scene):
    label = make_label(scene.owner, scene.project, "bug")
    TaskFactory(project=scene.project, title="a bug", label_ids=[label])
    return f"{scene.project_path}/labels/{label}"


def test_a_view_survives_the_renaming_of_its_label(scene, bug):
    path = save(scene.owner, scene.project_path, 'label=BUG and title != "bug"')
    before = scene.owner.get(path)
    assert before.json["filter"] == 'label=BUG and title != "bug"'
    patch(scene.owner, bug, {"name": "has a defect"})
    after = scene.owner.get(path)
    assert after.json["filter"] == 'label="has a defect" and title != "bug"'
    assert (after.json["revision"], after.json["filter_problem"]) == (1, None)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert scene.owner.get(path, headers={"If-None-Match": before.headers["ETag"]}).status_code == 200
    assert scene.owner.get(path, headers={"If-None-Match": after.headers["ETag"]}).status_code == 304
    assert scene.owner.get(f"{scene.project_path}/views?fields=filter").json["items"] == [
        {"filter": after.json["filter"]}
    ]
    assert scene.owner.get(f"{path}?fields=name").json == {"name": "v"}
    assert titles(scene.owner, path) == ["a bug"]
    # what is shown can be sent back, under the tag that it was shown with
    answer = patch(scene.owner, path, {"filter": after.json["filter"]}, **{"If-Match": after.headers["ETag"]})
    assert (answer.status_code, answer.json["revision"]) == (200, 2)
    assert titles(scene.owner, path) == ["a bug"]


def test_a_name_that_is_given_anew_is_not_what_was_meant(scene, bug):
    path = save(scene.owner, scene.project_path, "label in [bug]")
    patch(scene.owner, bug, {"name": "defect"})
    other = make_label(scene.owner, scene.project, "bug")
    TaskFactory(project=scene.project, title="new", label_ids=[other])
    assert titles(scene.owner, path) == ["a bug"]
    assert patch(scene.owner, path, {"filter": "label in [bug]"}).json["filter"] == "label in [bug]"
    assert titles(scene.owner, path) == ["new"]


def test_labels_of_several_projects_that_part_are_both_shown(scene, bug):
    other = ProjectFactory(owner=scene.owner.user)
    second = make_label(scene.owner, other, "Bug")
    TaskFactory(project=other, title="another bug", label_ids=[second])
    path = save(scene.owner, "/api/v1", "label= bug")
    assert sorted(titles(scene.owner, path)) == ["a bug", "another bug"]
    patch(scene.owner, bug, {"name": "has, a defect"})
    text = scene.owner.get(path).json["filter"]
    assert text in ('label in ["has, a defect", Bug]', 'label in [Bug, "has, a defect"]')
    assert patch(scene.owner, path, {"filter": text}).status_code == 200
    assert sorted(titles(scene.owner, path)) == ["a bug", "another bug"]


@pytest.mark.parametrize("text", ["label = bug", "label != bug", "not label = bug", "label = bug or title ~ x"])
def test_a_view_of_a_deleted_label_says_so_and_finds_nothing(scene, bug, text):
    path = save(scene.owner, scene.project_path, text)
    assert scene.owner.delete(bug, headers=ANY).status_code == 204
    view = scene.owner.get(path).json
    column = text.index("bug") + 1
    assert (view["filter"], view["filter_problem"]) == (text, f"Column {column}: 'bug' is no label that is known here.")
    assert scene.owner.get(f"{scene.project_path}/views").json["items"][0]["filter_problem"] == view["filter_problem"]
    (error,) = assert_problem(scene.owner.get(f"{path}/tasks"), 422)["errors"]
    assert error == {"location": "view.filter", "message": view["filter_problem"], "code": "filter.unknown_name"}
    assert patch(scene.owner, path, {"name": "still"}).status_code == 200
    assert patch(scene.owner, path, {"filter": "title ~ x"}).json["filter_problem"] is None


def test_a_view_of_a_deleted_field_says_so(scene):
    fields = f"{scene.project_path}/custom-fields"
    field = scene.owner.post(fields, json={"key": "points", "name": "Points", "type": "number"}).json
    path = save(scene.owner, scene.project_path, "custom_fields.points != 5", sort="custom_fields.points")
    assert titles(scene.owner, path) == ["Write the notes"]
    scene.owner.delete(f"{fields}/{field['id']}", headers=ANY)
    assert_problem(scene.owner.get(f"{path}/tasks"), 422)
    assert scene.owner.get(path).json["filter_problem"].startswith("Column 1: ")


@pytest.mark.parametrize(
    "text", ["label = tpyo", "custom_fields.tpyo != x", "status = tpyo", f"assignee != {'a' * 24}"]
)
@pytest.mark.parametrize("place", ["project", "own"])
def test_a_view_of_what_is_not_is_refused(scene, text, place):
    path = scene.project_path if place == "project" else "/api/v1"
    problem = assert_problem(scene.owner.post(f"{path}/views", json={"name": "v", "filter": text}), 422)
    assert problem["errors"][0]["location"] == "body.filter"
    assert_problem(patch(scene.owner, save(scene.owner, path, "title ~ x"), {"filter": text}), 422)


def test_a_view_in_the_order_of_what_is_not_is_refused(scene):
    for place in (scene.project_path, "/api/v1"):
        body = {"name": "v", "sort": "-custom_fields.tpyo"}
        problem = assert_problem(scene.owner.post(f"{place}/views", json=body), 422)
        assert problem["errors"][0]["location"] == "body.sort"
        assert_problem(patch(scene.owner, save(scene.owner, place, "title ~ x"), {"sort": "custom_fields.tpyo"}), 422)


def test_what_happened_to_a_view_says_nothing_of_how_it_is_stored(scene, bug):
    path = save(scene.owner, scene.project_path, None)
    patch(scene.owner, path, {"filter": "label = bug"})
    assert Event.objects(kind="view.updated").get().data["changes"].keys() == {"filter"}


def test_views_of_before_are_bound_by_the_migration(scene, bug):
    path, own = (save(scene.owner, place, "label = bug") for place in (scene.project_path, "/api/v1"))
    gone = save(scene.owner, scene.project_path, "title ~ x")
    View.objects.update(unset__references=True)
    View.objects(filter="title ~ x").update(set__filter="label = nothing")
    for _ in range(2):
        migration.upgrade(View._get_collection().database)
    patch(scene.owner, bug, {"name": "defect"})
    assert titles(scene.owner, path) == titles(scene.owner, own) == ["a bug"]
    assert scene.owner.get(path).json["filter"] == "label = defect"
    assert scene.owner.get(gone).json["filter_problem"] == "Column 9: 'nothing' is no label that is known here."
