"""What a filter names is looked up at once: the number of commands grows neither with its values nor with its page."""

from contextlib import ExitStack

import pytest
from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.core.storage.expensive import expensive_queries
from taskmanager.features.projects.filtering import names as filter_names
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, UserFactory, task_row
from tests.problems import assert_problem
from tests.scene import Scene

TASKS = "/api/v1/tasks"


@pytest.fixture
def scene(app):
    scene = Scene(app)
    field = {"key": "stage", "name": "Stage", "type": "select", "options": ["low", "high"]}
    assert scene.owner.post(f"{scene.project_path}/custom-fields", json=field).status_code == 201
    return scene


def held(scene, number):
    """Let tasks have so many former members, and values of a select that are offered no more."""
    people = [UserFactory().id for _ in range(number)]
    for place, user_id in enumerate(people):
        store(scene, user_id, f"old{place}")
    return [f"assignee in [{', '.join(map(str, people))}]", f"custom_fields.stage in [{stages(number)}]"]


def store(scene, user_id, stage):
    """Store a task of a former member, with a value that its field offers no more."""
    row = {"reporter_id": user_id, "assignee_ids": [user_id], "custom_fields": {"stage": stage}}
    Task.objects.insert([task_row(scene.project.id, **row)], load_bulk=False)


def stages(number):
    return ", ".join(f"old{place}" for place in range(number))


def cost(commands, client, path, **query):
    with commands.counted() as sent:
        answer = client.get(path, query_string=query)
    assert answer.status_code in (200, 422), answer.text
    return len(sent), answer


@pytest.mark.parametrize("which", [0, 1])
def test_the_values_of_a_filter_are_one_query(scene, commands, which):
    few, many = held(scene, 1)[which], held(scene, 12)[which]
    for path in (TASKS, scene.tasks_path, f"{TASKS}/facets", f"{TASKS}/stats"):
        cost(commands, scene.owner, path, filter=few)  # what is cached is cached
        one, _ = cost(commands, scene.owner, path, filter=few)
        twelve, answer = cost(commands, scene.owner, path, filter=many)
        assert (one, answer.status_code) == (twelve, 200)


@pytest.mark.parametrize("text", ["assignee in [{}]", "reporter not in [{}]", "watcher != {} or assignee in [{}]"])
def test_unknown_people_are_one_query(scene, commands, text):
    ids = ", ".join(str(ObjectId()) for _ in range(30))
    few = text.format(*[ObjectId()] * text.count("{}"))
    many = text.format(*[ids if part.endswith("[") else ObjectId() for part in text.split("{}")[:-1]])
    cost(commands, scene.owner, TASKS, filter=few)
    one, _ = cost(commands, scene.owner, TASKS, filter=few)
    thirty, answer = cost(commands, scene.owner, TASKS, filter=many)
    assert (one, answer.status_code) == (thirty, 422)


def test_unknown_options_are_one_query(scene, commands):
    few, many = "custom_fields.stage = x", f"custom_fields.stage in [{stages(100)}] or custom_fields.stage != x"
    cost(commands, scene.owner, TASKS, filter=few)
    assert cost(commands, scene.owner, TASKS, filter=few)[0] == cost(commands, scene.owner, TASKS, filter=many)[0]


def test_looking_for_what_only_tasks_know_takes_a_place_of_the_expensive_queries(scene, own_process):
    few = held(scene, 1)
    with ExitStack() as stack:
        for _ in range(settings.current().expensive_queries):
            stack.enter_context(expensive_queries.place(str(scene.owner.user.id)))
        for text in (*few, f"assignee = {ObjectId()}"):
            assert_problem(scene.owner.get(TASKS, query_string={"filter": text}), 429, code="query.too_many")
        assert scene.owner.get(TASKS, query_string={"filter": "assignee = me"}).status_code == 200


@pytest.mark.parametrize("kind", ["views", "webhooks"])
def test_what_a_page_of_stored_filters_names_is_looked_up_once(scene, commands, kind):
    def save(number):
        label = scene.owner.post(f"{scene.project_path}/labels", json={"name": f"label {number}"}).json["id"]
        user = UserFactory().id
        store(scene, user, f"old{number}")
        text = f"label = {label} and assignee = {user} and custom_fields.stage = old{number}"
        body = {"filter": text} | (
            {"name": f"v{number}", "sort": "created_at"}
            if kind == "views"
            else {"url": f"https://example.com/{number}", "events": ["task.created"]}
        )
        answer = scene.owner.post(f"{scene.project_path}/{kind}", json=body)
        assert answer.status_code == 201, answer.text

    path = f"{scene.project_path}/{kind}"
    save(0)
    cost(commands, scene.owner, path)
    one, _ = cost(commands, scene.owner, path)
    for number in range(1, 8):
        save(number)
    eight, answer = cost(commands, scene.owner, path)
    assert (len(answer.json["items"]), eight) == (8, one)
    assert all(row["filter_problem"] is None for row in answer.json["items"])
    Task.objects.delete()
    assert all(row["filter_problem"] for row in scene.owner.get(path).json["items"])


@pytest.mark.parametrize(
    ("what", "bound"), [("label = bug", "MAX_LABELS"), ("custom_fields.stage = low", "MAX_FIELDS")]
)
def test_a_name_that_too_many_projects_know_asks_for_the_project(scene, monkeypatch, what, bound):
    monkeypatch.setattr(filter_names, bound, 1)
    other = ProjectFactory(owner=scene.owner.user)
    for project in (scene.project, other):
        scene.owner.post(f"/api/v1/projects/{project.id}/labels", json={"name": "bug"})
    field = {"key": "stage", "name": "Stage", "type": "select", "options": ["low"]}
    assert scene.owner.post(f"/api/v1/projects/{other.id}/custom-fields", json=field).status_code == 201
    problem = assert_problem(scene.owner.get(TASKS, query_string={"filter": what}), 422)
    assert problem["errors"][0]["code"] == "filter.too_wide"
    assert scene.owner.get(scene.tasks_path, query_string={"filter": what}).status_code == 200
