"""Tasks that one request completes or reopens, with what follows for parents, blocked tasks and series."""

import pytest

from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory
from tests.features.bulk.together import BULK, TASKS, Family, Place, run, to


def test_the_progress_of_a_parent_is_one_change_for_the_new_tasks_and_one_for_the_changed_ones(scene):
    place = Place(scene.owner, 5)
    before = Task.objects.get(id=place.parent)
    place.at_once("complete")
    after = Task.objects.get(id=place.parent)
    assert (after.progress["done"], after.revision) == (5, before.revision + 2)


def test_a_task_is_completed_together_with_those_that_block_it(scene):
    first, second = (TaskFactory(project=scene.project, title=title) for title in "ab")
    body = {"kind": "blocks", "task_id": str(second.id)}
    assert scene.owner.post(f"{TASKS}/{first.id}/relations", json=body).status_code == 201
    results = run(scene, *({"op": "complete", "task_id": str(task.id)} for task in (first, second)))
    assert [result["task"]["status"] for result in results] == ["done", "done"]


def test_two_tasks_of_one_series_are_completed_one_after_the_other(scene):
    recurring = {"title": "Water", "due": "2031-01-15", "recurrence": "FREQ=WEEKLY"}
    first = scene.owner.post(scene.tasks_path, json=recurring).json["id"]
    headers = {"If-Match": "*"}
    second = scene.owner.put(f"{TASKS}/{first}/completion", headers=headers).json["next_task_id"]
    scene.owner.delete(f"{TASKS}/{second}", headers=headers)
    scene.owner.delete(f"{TASKS}/{first}/completion", headers=headers)
    assert scene.owner.post(f"{TASKS}/{second}/restore").status_code == 200  # now both are open
    run(scene, *({"op": "complete", "task_id": task} for task in (first, second)))
    assert Task.objects(series_id=first, status_group="backlog").count() == 1


def results_of_both_modes(scene, operations):
    """What `all_or_nothing` and `each` answer to the same: what is seen of the tasks, or the first error."""
    found = []
    for mode in ("all_or_nothing", "each"):
        made = Family(scene)
        answer = scene.owner.post(BULK, json={"mode": mode, "operations": operations(made)})
        if answer.status_code != 200:
            found.append([answer.status_code, answer.json["index"]])
            continue
        results = answer.json["results"]
        failed = [[result["status"], result["index"]] for result in results if result["status"] >= 400]
        found.append(failed[0] if failed else [seen(result["task"]) for result in results])
    return found


def seen(task):
    return task["title"], task["status"], task["revision"], task["progress"]


DEPENDENT = {
    "subtask, parent": lambda one: one.operations("complete", one.first, one.parent),
    "parent, subtask": lambda one: one.operations("complete", one.parent, one.first),
    "subtask, parent that is done": lambda one: [
        one.done(one.parent) and None,
        *one.operations("complete", one.first, one.parent),
    ][1:],
    "subtask, parent with its revision": lambda one: one.operations(
        "complete", one.first, (one.parent, {"revision": one.get(one.parent)["revision"]})
    ),
    "reopened subtask, parent": lambda one: [
        [one.done(task) for task in (one.first, one.parent)],
        *one.operations("reopen", one.first, one.parent),
    ][1:],
    "subtask by its status, parent that changes nothing": lambda one: one.operations(
        "update", (one.first, to("done")), (one.parent, {"task": {"title": "parent"}})
    ),
    "two that cancel out, parent": lambda one: [
        one.done(one.second),
        *one.operations("update", (one.first, to("done")), (one.second, to("open")), (one.parent, to("in_progress"))),
    ][1:],
    "subtask that leaves, parent": lambda one: one.operations(
        "update", (one.first, {"task": {"parent_id": None}}), (one.parent, {"task": {"title": "parent"}})
    ),
    "task that becomes a subtask, parent": lambda one: one.operations(
        "update",
        (one.made("other"), {"task": {"parent_id": one.parent}}),
        (one.parent, {"task": {"title": "parent"}, "revision": one.get(one.parent)["revision"]}),
    ),
}


@pytest.mark.parametrize("operations", DEPENDENT.values(), ids=DEPENDENT)
def test_a_parent_is_answered_as_one_after_the_other(scene, operations):
    together, apart = results_of_both_modes(scene, operations)
    assert together == apart
    assert isinstance(together[0], tuple) or together == [412, 1]


def test_the_revision_of_a_parent_is_from_before_the_change_of_its_subtask(scene):
    assert results_of_both_modes(scene, DEPENDENT["subtask, parent with its revision"]) == [[412, 1], [412, 1]]


def test_a_task_that_is_blocked_by_one_that_is_opened_before_it_is_not_done(scene):
    one = Family(scene)
    body = {"kind": "blocks", "task_id": one.second}
    assert scene.owner.post(f"{TASKS}/{one.first}/relations", json=body).status_code == 201
    one.done(one.first)
    given = one.operations("update", (one.first, to("open")), (one.second, to("done")))
    answer = scene.owner.post(BULK, json={"operations": given})
    assert (answer.status_code, answer.json["code"], answer.json["index"]) == (409, "task.blocked", 1)
    one.done(one.first)
    run(scene, *one.operations("update", (one.second, to("done")), (one.first, to("open"))))


RECURRING = {"due": "2031-01-15", "recurrence": "FREQ=WEEKLY"}


def test_a_next_task_that_is_withdrawn_is_no_longer_there(scene):
    one = Family(scene, **RECURRING)
    following = one.done(one.first)["next_task_id"]
    answer = scene.owner.post(BULK, json={"operations": one.operations("reopen", one.first, following)})
    assert (answer.status_code, answer.json.get("index")) == (404, 1)


def test_a_task_does_not_become_a_subtask_of_one_that_is_withdrawn(scene):
    one = Family(scene, **RECURRING)
    following = one.done(one.first)["next_task_id"]
    changes = (one.first, to("open")), (one.made("other"), {"task": {"parent_id": following}})
    answer = scene.owner.post(BULK, json={"operations": one.operations("update", *changes)})
    assert (answer.status_code, answer.json.get("index")) == (422, 1)
    run(scene, *one.operations("update", *changes[::-1]))
    assert one.get(following)["progress"] == {"total": 1, "done": 0}


@pytest.mark.parametrize("action", ["complete", "reopen"])
def test_a_parent_that_only_the_next_task_changes_is_as_it_is_stored(scene, action):
    one = Family(scene, **RECURRING)
    given = one.operations("update", (one.first, to("cancelled")))
    run(scene, *given)
    other = one.made("other")
    moved = {"status": "done", "parent_id": other}
    given = one.operations("update", (one.first, {"task": moved}), (one.parent, {"task": {"title": "parent"}}))
    result = run(scene, *given)[1]["task"]
    assert result == one.get(one.parent)
    if action == "reopen":
        result = run(scene, *one.operations("reopen", one.first, one.parent))[1]["task"]
        assert result == one.get(one.parent)
