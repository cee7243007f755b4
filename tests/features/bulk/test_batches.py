"""A hundred operations are a few commands, and store what a hundred requests store."""

import pytest

from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory
from tests.commands import Commands
from tests.features.bulk.together import BULK, TASKS, Place, create, prepare, run
from tests.web.counting import store_trips

NUMBER, MAX_COMMANDS = 100, 25
ACTIONS = ("create", "update", "complete", "reopen", "delete")


@pytest.mark.parametrize("action", ACTIONS)
def test_a_hundred_operations_are_a_few_commands(scene, commands: Commands, action):
    place = Place(scene.owner, NUMBER)
    prepare(place, action)
    with commands.counted() as sent, store_trips() as trips:
        results = place.at_once(action)
    assert len(results) == NUMBER
    assert len(sent) <= MAX_COMMANDS, sent
    assert len(trips) <= 2


@pytest.mark.parametrize("action", ACTIONS)
def test_they_store_what_single_requests_store(scene, action):
    together, apart = Place(scene.owner, 7), Place(scene.owner, 7)
    for place in (together, apart):
        prepare(place, action)
    together.at_once(action)
    apart.one_by_one(action)
    assert together.stored() == apart.stored()
    assert together.events() == apart.events()


@pytest.mark.parametrize("action", ["create", "update", "complete", "reopen"])
def test_each_result_is_what_is_stored(scene, action):
    place = Place(scene.owner, 4)
    prepare(place, action)
    for result in place.at_once(action):
        assert place.owner.get(f"{TASKS}/{result['task']['id']}").json == result["task"]


BARE = {  # the second `update` is that of the counts of the project
    "create": ["findAndModify", "insert", "update", "findAndModify", "insert", "commitTransaction"],
    "update": ["find", "update", "findAndModify", "insert", "commitTransaction"],
    "complete": ["find", "find", "find", "update", "update", "findAndModify", "insert", "commitTransaction"],
    "reopen": ["find", "find", "update", "update", "findAndModify", "insert", "commitTransaction"],
    "delete": ["find", "find", "update", "update", "findAndModify", "insert", "commitTransaction"],
}


def test_a_hundred_plain_tasks_are_the_commands_of_one(scene, commands):
    project_id = str(scene.project.id)
    given = [{"op": "create", "project_id": project_id, "task": {"title": f"{index}"}} for index in range(NUMBER)]
    run(scene, given[0])  # loads the rights of the caller
    with commands.counted() as sent:
        made = [result["task"]["id"] for result in run(scene, *given)]
    assert sent == BARE["create"]
    for action in ("update", "complete", "reopen", "delete"):
        more = {"task": {"title": "again"}} if action == "update" else {}
        with commands.counted() as sent:
            run(scene, *({"op": action, "task_id": task, **more} for task in made))
        assert sent == BARE[action], action


def test_an_error_names_the_first_operation_that_fails(scene):
    tasks = [str(TaskFactory(project=scene.project, title=title).id) for title in "abc"]
    given = [{"op": "update", "task_id": task, "task": {"title": "x"}} for task in tasks]
    given[1]["task"] = {"status": "nothing"}
    given[2]["revision"] = 9  # found earlier, because revisions are checked for all tasks first
    answer = scene.owner.post(BULK, json={"operations": given})
    assert (answer.status_code, answer.json["index"]) == (422, 1)
    assert answer.json["errors"][0]["location"] == "body.operations.1.task.status"
    assert Task.objects(title="x").count() == 0


def test_a_request_with_a_key_that_runs_one_by_one_has_its_effect_once(scene):
    tasks = [TaskFactory(project=scene.project, title=title) for title in "ab"]
    body = {"kind": "blocks", "task_id": str(tasks[1].id)}
    assert scene.owner.post(f"{TASKS}/{tasks[0].id}/relations", json=body).status_code == 201
    given = [create(scene), *({"op": "complete", "task_id": str(task.id)} for task in tasks)]
    sent = {"json": {"operations": given}, "headers": {"Idempotency-Key": "once"}}
    first, second = (scene.owner.post(BULK, **sent) for _ in range(2))
    assert (first.status_code, first.json) == (200, second.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert Task.objects(title="new").count() == 1
