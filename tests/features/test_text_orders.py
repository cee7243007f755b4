"""Lists in the order of names are in the order of people's alphabets, and keys in that of their numbers."""

import random

import pytest

from migrations.scripts import (
    m202611270012_text_orders as migration,
    m202611271909_former_indexes_of_lists as its_indexes,
)
from taskmanager.features.attachments.models import Attachment
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import MembershipFactory, ProjectFactory, TaskFactory, UserFactory, task_row
from tests.scene import patch

# As the root collation of CLDR has them: letters, then accents, then case.
NAMES = [
    "_under",
    "10",
    "aa",
    "Äpfel",
    "apple",
    "Apple",
    "apples",
    "Ärger",
    "banana",
    "eclair",
    "Éclair",
    "Łódź",
    "mad",
]
NAMES += ["zebra", "Zebra", "Αθήνα", "Яблоко", "東京"]


@pytest.fixture
def shuffled():
    names = list(NAMES)
    random.Random(5).shuffle(names)
    return names


def listed(client, path, sort, shown, **query):
    """All pages of a list, three rows each."""
    found, cursor = [], {}
    while cursor is not None:
        answer = client.get(path, query_string={"sort": sort, "limit": 3, **query} | cursor)
        assert answer.status_code == 200, answer.text
        found += map(shown, answer.json["items"])
        cursor = answer.json["next_cursor"] and {"cursor": answer.json["next_cursor"]}
    return found


def named(row):
    return row["name"]


def titled(row):
    return row["title"]


def in_order(client, path, shown, names, sort="name", **query):
    return [name for name in listed(client, path, sort, shown, **query) if name in names]


def test_projects(scene, shuffled):
    for name in shuffled:
        ProjectFactory(owner=scene.owner.user, name=name)
    assert in_order(scene.owner, "/api/v1/projects", named, NAMES) == NAMES
    assert in_order(scene.owner, "/api/v1/projects", named, NAMES, "-name") == NAMES[::-1]


def test_labels_custom_fields_and_views(scene, shuffled):
    for number, name in enumerate(shuffled):
        scene.owner.post(
            f"{scene.project_path}/custom-fields", json={"key": f"f{number}", "name": name, "type": "text"}
        )
        scene.owner.post(f"{scene.project_path}/views", json={"name": name})
        if name.lower() not in ("apple", "zebra"):  # which no two labels may be called
            assert scene.owner.post(f"{scene.project_path}/labels", json={"name": name}).status_code == 201
    for place in ("custom-fields", "views"):
        assert in_order(scene.owner, f"{scene.project_path}/{place}", named, NAMES) == NAMES
    labels = [name for name in NAMES if name.lower() not in ("apple", "zebra")]
    assert in_order(scene.owner, f"{scene.project_path}/labels", named, NAMES) == labels
    assert in_order(scene.owner, f"{scene.project_path}/labels", named, NAMES, "-name") == labels[::-1]


def test_people(scene, shuffled):
    for name in shuffled:
        MembershipFactory(project=scene.project, user=UserFactory(name=name))

    def of_member(row):
        return row["user"]["name"]

    assert in_order(scene.owner, scene.members_path, of_member, NAMES) == NAMES
    assert in_order(scene.owner, scene.members_path, of_member, NAMES, "-name") == NAMES[::-1]
    (row,) = scene.owner.get(scene.members_path, query_string={"sort": "name", "limit": 1, "fields": "role"}).json[
        "items"
    ]
    assert row == {"role": "member"}
    admin = UserFactory()
    User.objects(id=admin.id).update(set__role="admin")
    assert in_order(sign_in(scene.app, admin), "/api/v1/users", named, NAMES) == NAMES


def test_files(scene, shuffled):
    for name in shuffled:
        row = {"uploader_id": scene.owner.user.id, "content_type": "text/plain", "size": 1, "sha256": "x"}
        Attachment(task_id=scene.task.id, name=name, content_id=scene.task.id, **row).save()
    assert in_order(scene.owner, f"{scene.task_path}/attachments", named, NAMES) == NAMES


@pytest.mark.parametrize("narrow", [{}, {"filter": "status = open and assignee is null and label is null"}])
def test_tasks(scene, shuffled, narrow):
    other = ProjectFactory(owner=scene.owner.user)
    for number, title in enumerate(shuffled):
        TaskFactory(project=(scene.project, other)[number % 2], title=title)
    assert in_order(scene.owner, "/api/v1/tasks", titled, NAMES, "title", **narrow) == NAMES
    assert in_order(scene.owner, "/api/v1/tasks", titled, NAMES, "-title", **narrow) == NAMES[::-1]


def test_titles_that_differ_in_their_unicode_form_only_are_each_listed_once(scene):
    titles = ["caf\u00e9", "cafe\u0301"] * 5
    Task.objects.delete()
    Task.objects.insert([task_row(scene.project.id, title=title) for title in titles], load_bulk=False)
    ids = listed(scene.owner, scene.tasks_path, "title", lambda row: row["id"])
    assert (len(ids), len(set(ids))) == (10, 10)
    assert listed(scene.owner, scene.tasks_path, "-title", lambda row: row["id"]) == ids[::-1]


@pytest.mark.parametrize(
    "text", ["assignee is not null", "label is not null", "watcher is not null", "not label is null"]
)
def test_a_filter_finds_the_same_in_every_order(scene, text):
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "x"}).json["id"]
    TaskFactory(project=scene.project, title="b", assignees=(scene.owner.user,), label_ids=[label])
    TaskFactory(project=scene.project, title="a", assignees=(scene.owner.user,), label_ids=[label])
    patch(
        scene.owner, scene.task_path, {"title": "c", "assignee_ids": [str(scene.owner.user.id)], "label_ids": [label]}
    )
    titles = listed(scene.owner, scene.tasks_path, "title", titled, filter=text)
    assert titles == sorted(listed(scene.owner, scene.tasks_path, "created_at", titled, filter=text))
    assert titles == ["a", "b", "c"] or "watcher" in text


def test_keys(scene):
    small, large = (ProjectFactory(owner=scene.owner.user, key=f"AB{number}") for number in (2, 10))
    for project in (large, small):
        for _ in range(11):
            TaskFactory(project=project)
    wanted = [f"{key}-{number}" for key in ("AB2", "AB10") for number in range(1, 12)]
    keys = in_order(scene.owner, "/api/v1/tasks", lambda row: row["key"], wanted, "key")
    assert keys == wanted
    assert in_order(scene.owner, "/api/v1/tasks", lambda row: row["key"], wanted, "-key") == wanted[::-1]
    projects = in_order(scene.owner, "/api/v1/projects", lambda row: row["key"], ["AB2", "AB10"], "key")
    assert projects == ["AB2", "AB10"]
    hits = scene.owner.get("/api/v1/search", query_string={"q": "AB2-1"}).json["items"]
    assert [hit["task"]["key"] for hit in hits][:3] == ["AB2-1", "AB2-10", "AB2-11"]


def test_custom_fields(scene, shuffled):
    fields = f"{scene.project_path}/custom-fields"
    for key, kind in (("note", "text"), ("points", "number")):
        scene.owner.post(fields, json={"key": key, "name": key, "type": kind})
    other = ProjectFactory(owner=scene.owner.user)
    scene.owner.post(f"/api/v1/projects/{other.id}/custom-fields", json={"key": "points", "name": "p", "type": "text"})
    Task.objects.delete()
    rows = [task_row(scene.project.id, title=name, custom_fields={"note": name}) for name in shuffled]
    Task.objects.insert(rows, load_bulk=False)
    assert listed(scene.owner, scene.tasks_path, "custom_fields.note", titled) == NAMES
    assert listed(scene.owner, scene.tasks_path, "-custom_fields.note", titled) == NAMES[::-1]
    Task.objects.delete()
    values = [(scene.project, 10), (scene.project, 9), (other, "b"), (other, "A"), (other, "10"), (other, None)]
    rows = [
        task_row(project.id, title=str(value), custom_fields={} if value is None else {"points": value})
        for project, value in values
    ]
    Task.objects.insert(rows, load_bulk=False)
    wanted = ["None", "9", "10", "10", "A", "b"]
    assert listed(scene.owner, "/api/v1/tasks", "custom_fields.points", titled) == wanted
    assert listed(scene.owner, "/api/v1/tasks", "-custom_fields.points", titled) == wanted[::-1]


def test_what_was_stored_before_is_in_order_after_the_migration(scene):
    for _ in range(10):
        TaskFactory(project=scene.project)
    for model in (Task, Project):
        model.objects.update(unset__key_order=True)
    for _ in range(2):
        migration.upgrade(Task._get_collection().database)
    its_indexes.upgrade(Task._get_collection().database)  # later releases have others
    keys = listed(scene.owner, scene.tasks_path, "key", lambda row: row["key"])
    assert keys == [f"{scene.project.key}-{number}" for number in range(1, 12)]
    assert Project.objects(key_order=None).count() == 0
