"""Labels and custom fields of a project, and what tasks make of them."""

import pytest

from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory
from tests.problems import assert_problem
from tests.scene import patch

ANY = {"If-Match": "*"}
SEVERITY = {"key": "severity", "name": "Severity", "type": "select", "options": ["low", "high"]}


@pytest.fixture
def label(scene):
    answer = scene.owner.post(f"{scene.project_path}/labels", json={"name": "Bug", "color": "#aa0000"})
    assert answer.status_code == 201, answer.text
    return answer.json


def define(scene, **field):
    answer = scene.owner.post(f"{scene.project_path}/custom-fields", json=SEVERITY | field)
    assert answer.status_code == 201, answer.text
    return answer.json


def titles(client, path, **query):
    answer = client.get(path, query_string=query)
    assert answer.status_code == 200, answer.text
    return [task["title"] for task in answer.json["items"]]


def test_labels_are_made_read_changed_and_deleted(scene, label):
    path = f"{scene.project_path}/labels/{label['id']}"
    viewer = scene.member("viewer")
    assert viewer.get(path).json == label
    assert [row["name"] for row in viewer.get(f"{scene.project_path}/labels").json["items"]] == ["Bug"]
    assert patch(scene.member(), path, {"name": "Defect"}).json["name"] == "Defect"
    assert_problem(patch(viewer, path, {"name": "x"}), 403)
    assert_problem(scene.owner.delete(path), 428)
    assert_problem(scene.owner.delete(path, headers={"If-Match": '"1"'}), 412)
    assert scene.owner.delete(path, headers=ANY).status_code == 204
    assert_problem(viewer.get(path), 404)


@pytest.mark.parametrize("name", ["bug", "BUG", " Bug ", "\uff42ug"])
def test_the_name_of_a_label_is_unique_whatever_the_case(scene, label, name):
    labels = f"{scene.project_path}/labels"
    assert_problem(scene.owner.post(labels, json={"name": name}), 409, code="label.taken")
    other = scene.owner.post(labels, json={"name": "other"}).json
    assert_problem(patch(scene.owner, f"{labels}/{other['id']}", {"name": name}), 409, code="label.taken")
    assert patch(scene.owner, f"{labels}/{label['id']}", {"name": name}).status_code == 200
    elsewhere = ProjectFactory(owner=scene.owner.user)
    assert scene.owner.post(f"/api/v1/projects/{elsewhere.id}/labels", json={"name": name}).status_code == 201


def test_tasks_are_marked_with_labels_of_their_project(scene, label):
    answer = patch(scene.owner, scene.task_path, {"label_ids": [label["id"]]})
    assert answer.json["label_ids"] == [label["id"]]
    elsewhere = ProjectFactory(owner=scene.owner.user)
    strange = scene.owner.post(f"/api/v1/projects/{elsewhere.id}/labels", json={"name": "x"}).json["id"]
    problem = assert_problem(patch(scene.owner, scene.task_path, {"label_ids": [strange]}), 422)
    assert problem["errors"][0]["code"] == "task.label_unknown"
    assert_problem(scene.owner.post(scene.tasks_path, json={"title": "x", "label_ids": [strange]}), 422)


def test_lists_are_filtered_by_the_names_of_labels(scene, label, commands):
    later = scene.owner.post(f"{scene.project_path}/labels", json={"name": "needs review"}).json["id"]
    for title, ids in [("both", [label["id"], later]), ("bug", [label["id"]]), ("later", [later])]:
        scene.owner.post(scene.tasks_path, json={"title": title, "label_ids": ids})
    for path in (scene.tasks_path, "/api/v1/tasks"):
        assert titles(scene.owner, path, filter="label = BUG") == ["both", "bug"]
        assert titles(scene.owner, path, filter='label in [bug, "Needs Review"]') == ["both", "bug", "later"]
        assert titles(scene.owner, path, filter='label = bug and label = "needs review"') == ["both"]
        assert titles(scene.owner, path, filter='label != "needs review"') == ["Write the notes", "bug"]
        assert titles(scene.owner, path, filter="label is null") == ["Write the notes"]
        assert titles(scene.owner, path, filter=f"label = {later}") == ["both", "later"]
    assert_problem(scene.who("stranger").get("/api/v1/tasks?filter=label = bug"), 422)


def test_a_deleted_label_is_taken_off_the_tasks(scene, label, deliver):
    other = scene.owner.post(f"{scene.project_path}/labels", json={"name": "other"}).json["id"]
    before = patch(scene.owner, scene.task_path, {"label_ids": [label["id"], other]}).json
    scene.owner.delete(f"{scene.project_path}/labels/{label['id']}", headers=ANY)
    deliver()
    after = scene.owner.get(scene.task_path).json
    assert (after["label_ids"], after["revision"]) == ([other], before["revision"] + 1)
    told = scene.owner.get(f"{scene.task_path}/activity?sort=-at").json["items"][0]
    assert (told["actor_id"], told["changes"]["label_ids"]["after"]) == (None, [other])


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ({}, "high", "middle"),
        ({"type": "text", "options": []}, "words\nand lines", 5),
        ({"type": "text", "options": []}, "", "\x00"),
        ({"type": "number", "options": []}, 2.5, "2.5"),
        ({"type": "number", "options": []}, 0, True),
        ({"type": "number", "options": []}, -3, 1e300),
        ({"type": "date", "options": []}, "2026-12-01", "2026-02-30"),
        ({"type": "checkbox", "options": []}, False, 0),
        ({"type": "user", "options": []}, None, "65f1c0ffee0123456789abcd"),
    ],
)
def test_a_custom_field_takes_values_of_its_type(scene, field, good, bad):
    define(scene, **field)
    if field.get("type") == "user":
        good = str(scene.owner.user.id)
    answer = patch(scene.owner, scene.task_path, {"custom_fields": {"severity": good}})
    assert (answer.status_code, answer.json["custom_fields"]) == (200, {"severity": good})
    assert scene.owner.get(scene.tasks_path).json["items"][0]["custom_fields"] == {"severity": good}
    problem = assert_problem(patch(scene.owner, scene.task_path, {"custom_fields": {"severity": bad}}), 422)
    assert problem["errors"][0]["location"] == "body.custom_fields.severity"


def test_custom_fields_are_merged_and_cleared(scene):
    define(scene)
    define(scene, key="points", type="number", options=[])
    made = {"title": "x", "custom_fields": {"severity": "low", "points": 3}}
    path = f"/api/v1/tasks/{scene.owner.post(scene.tasks_path, json=made).json['id']}"
    assert patch(scene.owner, path, {"custom_fields": {"points": None}}).json["custom_fields"] == {"severity": "low"}
    assert patch(scene.owner, path, {"title": "y"}).json["custom_fields"] == {"severity": "low"}
    assert patch(scene.owner, path, {"custom_fields": None}).json["custom_fields"] == {}
    for name in ("nothing", "$where", "a.b", ""):
        assert_problem(patch(scene.owner, path, {"custom_fields": {name: 1}}), 422)


def test_lists_are_filtered_and_sorted_by_custom_fields(scene):
    define(scene)
    define(scene, key="points", type="number", options=[])
    for title, points, severity in [("a", 10, "low"), ("b", 9, "high"), ("c", -1.5, "low")]:
        body = {"title": title, "custom_fields": {"points": points, "severity": severity}}
        assert scene.owner.post(scene.tasks_path, json=body).status_code == 201
    for path in (scene.tasks_path, "/api/v1/tasks"):
        assert titles(scene.owner, path, filter="custom_fields.severity = low") == ["a", "c"]
        assert titles(scene.owner, path, filter="custom_fields.points >= 9") == ["a", "b"]
        assert titles(scene.owner, path, filter="custom_fields.points < 0 or custom_fields.severity = high") == [
            "b",
            "c",
        ]
        assert titles(scene.owner, path, filter="custom_fields.points in [10, 9]") == ["a", "b"]
        assert titles(scene.owner, path, filter="custom_fields.points is null") == ["Write the notes"]
        assert titles(scene.owner, path, filter="custom_fields.severity ~ ow") == ["a", "c"]
        assert titles(scene.owner, path, sort="custom_fields.points") == ["Write the notes", "c", "b", "a"]
        pages, query = [], {"sort": "-custom_fields.points", "limit": 1}
        for _ in range(4):
            page = scene.owner.get(path, query_string=query).json
            pages += [task["title"] for task in page["items"]]
            query["cursor"] = page["next_cursor"]
        assert (pages, page["next_cursor"]) == (["a", "b", "c", "Write the notes"], None)
    assert_problem(scene.owner.get(scene.tasks_path, query_string={"filter": "custom_fields.$a = 1"}), 422)


def test_a_deleted_custom_field_leaves_no_values(scene, deliver):
    field = define(scene)
    patch(scene.owner, scene.task_path, {"custom_fields": {"severity": "low"}})
    assert scene.owner.delete(f"{scene.project_path}/custom-fields/{field['id']}", headers=ANY).status_code == 204
    deliver()
    assert scene.owner.get(scene.task_path).json["custom_fields"] == {}
    assert Task.objects(custom_fields__severity__exists=True).count() == 0


@pytest.mark.parametrize(
    "changes",
    [{"key": "Bad"}, {"key": "1a"}, {"type": "x"}, {"options": []}, {"type": "text"}, {"options": ["x"] * 101}],
)
def test_a_custom_field_that_makes_no_sense_is_refused(scene, changes):
    assert_problem(scene.owner.post(f"{scene.project_path}/custom-fields", json=SEVERITY | changes), 422)


def test_custom_fields_are_for_managers(scene):
    field = define(scene)
    path = f"{scene.project_path}/custom-fields/{field['id']}"
    assert_problem(patch(scene.member(), path, {"name": "x"}), 403)
    assert patch(scene.member("manager"), path, {"options": ["a"]}).json["options"] == ["a"]
    assert_problem(
        scene.owner.post(f"{scene.project_path}/custom-fields", json=SEVERITY), 409, code="custom_field.taken"
    )
    assert_problem(scene.who("stranger").get(path), 404)


def test_a_project_is_copied_as_a_template(scene, label):
    define(scene)
    workflow = {
        "statuses": [
            {"key": "todo", "name": "To do", "group": "backlog"},
            {"key": "open", "name": "Open", "group": "backlog"},
            {"key": "fine", "name": "Fine", "group": "done"},
        ]
    }
    assert scene.owner.put(f"{scene.project_path}/statuses", json=workflow, headers=ANY).status_code == 200
    body = {
        "label_ids": [label["id"]],
        "custom_fields": {"severity": "low"},
        "assignee_ids": [str(scene.owner.user.id)],
    }
    patch(scene.owner, scene.task_path, body)
    scene.owner.put(f"{scene.task_path}/completion", headers=ANY)
    recurring = {"due": "2026-12-01T09:00:00Z", "recurrence": "FREQ=DAILY", "title": "Second"}
    assert scene.owner.post(scene.tasks_path, json=recurring).status_code == 201
    viewer = scene.member("viewer")
    answer = viewer.post(f"{scene.project_path}/copy", json={"key": "COPY", "name": "Copy", "with_tasks": True})
    assert answer.status_code == 201, answer.text
    path = answer.headers["Location"]
    tasks = viewer.get(f"{path}/tasks?sort=position").json["items"]
    assert [(task["key"], task["title"], task["status"]) for task in tasks] == [
        ("COPY-1", "Write the notes", "todo"),
        ("COPY-2", "Second", "todo"),
    ]
    labels = viewer.get(f"{path}/labels").json["items"]
    assert tasks[0]["label_ids"] == [labels[0]["id"]] != [label["id"]]
    assert (tasks[0]["custom_fields"], tasks[0]["assignee_ids"]) == ({"severity": "low"}, [])
    assert (tasks[1]["recurrence"], tasks[1]["due_timezone"]) == ("FREQ=DAILY", "UTC")
    assert viewer.post(f"{path}/tasks", json={"title": "next"}).json["key"] == "COPY-3"
    bare = viewer.post(f"{scene.project_path}/copy", json={"key": "BARE", "name": "Bare"})
    assert viewer.get(f"{bare.headers['Location']}/tasks").json["items"] == []
    again = viewer.post(f"{scene.project_path}/copy", json={"key": "BARE", "name": "Bare"})
    assert_problem(again, 409, code="project.key_taken")
