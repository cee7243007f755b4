"""Bulk requests: all or nothing, or each for itself; errors by index; tasks named before they are made."""

import pytest

from taskmanager.core.events.log import Event
from taskmanager.features.bulk import service as bulk
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.problems import assert_problem
from tests.scene import patch

BULK = "/api/v1/tasks/bulk"
TASKS = "/api/v1/tasks"
EACH = {"mode": "each"}


def run(client, *operations, **more):
    headers = more.pop("headers", {})
    return client.post(BULK, json={"operations": list(operations), **more}, headers=headers)


def results(answer):
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


def create(scene, title, **more):
    task = {"title": title, **more.pop("task", {})}
    return {"op": "create", "project_id": str(scene.project.id), "task": task, **more}


def titles():
    return sorted(Task.objects.alive().scalar("title"))


@pytest.fixture
def three(scene):
    Task.objects.delete()
    return [str(TaskFactory(project=scene.project, title=title).id) for title in "abc"]


@pytest.mark.parametrize("mode", [{}, EACH])
def test_operations_of_all_sorts(scene, three, mode):
    a, b, c = three
    found = results(
        run(
            scene.owner,
            create(scene, "new", temp_id="n"),
            {"op": "update", "task_id": a, "task": {"title": "A", "priority": "high"}},
            {"op": "complete", "task_id": b, "revision": 1},
            {"op": "reopen", "task_id": b},
            {"op": "delete", "task_id": c},
            **mode,
        )
    )
    assert [(result["index"], result["status"]) for result in found] == [
        (0, 201),
        (1, 200),
        (2, 200),
        (3, 200),
        (4, 204),
    ]
    assert (found[0]["temp_id"], found[0]["task"]["title"], found[4]["task"]) == ("n", "new", None)
    assert scene.owner.get(f"{TASKS}/{a}").json == found[1]["task"]
    assert titles() == ["A", "b", "new"]
    kinds = Event.objects(kind__startswith="task.").order_by("seq").scalar("kind")
    assert list(kinds)[-5:] == ["task.created", "task.updated", "task.completed", "task.reopened", "task.deleted"]


@pytest.mark.parametrize("mode", [{}, EACH])
def test_a_later_operation_names_an_earlier_one(scene, mode):
    found = results(
        run(
            scene.owner,
            create(scene, "top", temp_id="top"),
            create(scene, "part", temp_id="part", task={"parent_id": "temp:top"}),
            {"op": "complete", "task_id": "temp:part"},
            {"op": "update", "task_id": "temp:top", "task": {"title": "Top"}},
            **mode,
        )
    )
    assert found[1]["task"]["parent_id"] == found[0]["task"]["id"]
    top = scene.owner.get(f"{TASKS}/{found[0]['task']['id']}").json
    assert (top["title"], top["progress"]) == ("Top", {"total": 1, "done": 1})


def test_all_or_nothing_is_nothing_when_one_fails(scene, three):
    a, b, _ = three
    answer = run(
        scene.owner,
        create(scene, "new"),
        {"op": "update", "task_id": a, "task": {"title": "A"}},
        {"op": "complete", "task_id": b, "revision": 7},
    )
    assert assert_problem(answer, 412)["index"] == 2
    assert titles() == ["a", "b", "c"]
    answer = run(scene.owner, create(scene, "new"), create(scene, "x", task={"label_ids": ["a" * 24]}))
    problem = assert_problem(answer, 422)
    assert (problem["index"], problem["errors"][0]["location"]) == (1, "body.operations.1.task.label_ids")
    assert TaskFactory(project=scene.project).key == f"{scene.project.key}-5"


def test_each_fails_for_itself(scene, three):
    a, b, _ = three
    stranger = TaskFactory(title="strange")
    found = results(
        run(
            scene.owner,
            {"op": "complete", "task_id": str(stranger.id)},
            create(scene, "new"),
            {"op": "complete", "task_id": b, "revision": 7},
            create(scene, "bad", temp_id="bad", task={"status": "nothing"}),
            {"op": "delete", "task_id": "temp:bad"},
            {"op": "update", "task_id": a, "task": {"title": "A"}},
            **EACH,
        )
    )
    assert [result["status"] for result in found] == [404, 201, 412, 422, 404, 200]
    assert found[3]["problem"]["errors"][0]["location"] == "body.operations.3.task.status"
    assert (found[2]["problem"]["code"], found[2]["task"]) == ("precondition.failed", None)
    assert titles() == ["A", "b", "c", "new", "strange"]


def test_a_filter_chooses_tasks(scene, three):
    TaskFactory(project=ProjectFactory(owner=scene.owner.user), title="elsewhere")
    place = {"project_id": str(scene.project.id)}
    found = results(
        run(
            scene.owner,
            {"op": "update", "filter": "title != c", "task": {"priority": "low"}, **place},
            {"op": "complete", "filter": "priority = low and title = a"},
            {"op": "delete", "filter": "status = done"},
        )
    )
    assert [(result["index"], result["status"]) for result in found] == [(0, 200), (0, 200), (1, 200), (2, 204)]
    assert titles() == ["b", "c", "elsewhere"]
    assert results(run(scene.owner, {"op": "complete", "filter": "title = nothing"}, **EACH)) == []


@pytest.mark.parametrize("mode", [{}, EACH])
def test_a_filter_changes_a_hundred_at_most(scene, mode):
    for number in range(100):
        TaskFactory(project=scene.project, title=f"{number}")
    everything = {"op": "update", "filter": "status = open", "task": {"title": "x"}}
    assert_problem(run(scene.owner, everything, **mode), 409, code="bulk.too_many")
    assert "x" not in titles()


def test_a_dry_run_counts_and_changes_nothing(scene, three):
    before = Event.objects.count()
    operations = [
        {"op": "delete", "filter": "title != c"},
        {"op": "complete", "task_id": three[0]},
        {"op": "complete", "filter": "title = nothing", "expect": 7},
        create(scene, "new", temp_id="n"),
    ]
    for mode in ({}, EACH):
        answer = run(scene.owner, *operations, dry_run=True, headers={"Idempotency-Key": "k"}, **mode)
        assert [(result["index"], result["count"]) for result in results(answer)] == [(0, 2), (1, 1), (2, 0), (3, 1)]
        assert answer.json["dry_run"] is True
    assert (titles(), Event.objects.count()) == (["a", "b", "c"], before)
    problem = assert_problem(run(scene.owner, {"op": "delete", "filter": "label = typo"}, dry_run=True), 422)
    assert problem["errors"][0]["location"] == "body.operations.0.filter"
    strange = {"op": "delete", "filter": "title = a", "project_id": str(ProjectFactory().id)}
    assert_problem(run(scene.owner, strange, dry_run=True), 404)


def test_a_dry_run_counts_more_than_can_be_changed(scene):
    for number in range(100):
        TaskFactory(project=scene.project, title=f"{number}")
    assert results(run(scene.owner, {"op": "delete", "filter": "status = open"}, dry_run=True))[0]["count"] == 101


def test_another_number_than_was_expected_changes_nothing(scene, three):
    first = {"op": "update", "task_id": three[0], "task": {"title": "A"}}
    delete = {"op": "delete", "filter": "title in [b, c]"}
    before = Event.objects.count()
    problem = assert_problem(run(scene.owner, first, delete | {"expect": 3}), 409, code="bulk.unexpected_count")
    assert (problem["index"], problem["count"], problem["expect"]) == (1, 2, 3)
    assert (titles(), Event.objects.count()) == (["a", "b", "c"], before)
    done, refused = results(run(scene.owner, first, delete | {"expect": 0}, **EACH))
    assert (done["status"], refused["status"], refused["problem"]["count"]) == (200, 409, 2)
    assert titles() == ["A", "b", "c"]
    assert len(results(run(scene.owner, delete | {"expect": 2}))) == 2
    assert titles() == ["A"]


def test_a_hundred_creates_fit(scene):
    found = results(run(scene.owner, *[create(scene, f"{number}") for number in range(100)]))
    assert {result["status"] for result in found} == {201}
    assert len({result["task"]["key"] for result in found}) == 100


@pytest.mark.parametrize("mode", [{}, EACH])
def test_a_repeated_request_has_its_effect_once(scene, three, mode):
    key = {"Idempotency-Key": "k"}
    operations = [create(scene, "new", temp_id="n"), create(scene, "part", task={"parent_id": "temp:n"})]
    first = run(scene.owner, *operations, headers=key, **mode)
    again = run(scene.owner, *operations, headers=key, **mode)
    assert first.json == again.json
    assert titles() == ["a", "b", "c", "new", "part"]
    assert_problem(run(scene.owner, create(scene, "other"), headers=key, **mode), 422, code="idempotency.key_reused")


def test_a_request_that_was_cut_short_goes_on_where_it_was(scene):
    key = {"Idempotency-Key": "k"}
    body = {
        "operations": [create(scene, "one", temp_id="a"), create(scene, "two", task={"status": "later"})],
        "mode": "each",
    }
    first = scene.owner.post(BULK, json=body, headers=key).json["results"]
    assert [result["status"] for result in first] == [201, 422]
    workflow = scene.owner.get(f"{scene.project_path}/statuses").json["statuses"]
    workflow.append({"key": "later", "name": "Later", "group": "backlog"})
    scene.owner.put(f"{scene.project_path}/statuses", json={"statuses": workflow}, headers={"If-Match": "*"})
    again = scene.owner.post(BULK, json=body, headers=key).json["results"]
    assert [result["status"] for result in again] == [201, 201]
    assert again[0]["task"]["id"] == first[0]["task"]["id"]


def test_rights_are_those_of_the_single_requests(scene, three):
    viewer, stranger = scene.member("viewer"), scene.who("stranger")
    for operation in (create(scene, "x"), {"op": "delete", "task_id": three[0]}):
        assert_problem(run(viewer, operation), 403)
        assert_problem(run(stranger, operation), 404)
        assert results(run(viewer, operation, **EACH))[0]["status"] == 403
    assert titles() == ["a", "b", "c"]


ID = "a" * 24


@pytest.mark.parametrize(
    ("operation", "location"),
    [
        ({"op": "move", "task_id": ID}, "body.operations.0.op"),
        ({"op": "create", "task": {"title": "x"}}, "body.operations.0"),
        ({"op": "create", "project_id": ID, "task": {}}, "body.operations.0.task.title"),
        ({"op": "create", "project_id": ID, "task": {"title": "x", "color": "red"}}, "body.operations.0.task.color"),
        ({"op": "update", "task_id": ID}, "body.operations.0"),
        ({"op": "update", "task_id": ID, "task": {"priority": "x"}}, "body.operations.0.task.priority"),
        ({"op": "complete"}, "body.operations.0"),
        ({"op": "complete", "task_id": ID, "filter": "status = open"}, "body.operations.0"),
        ({"op": "complete", "task_id": ID, "task": {}}, "body.operations.0"),
        ({"op": "complete", "task_id": "temp:x"}, "body.operations.0.task_id"),
        ({"op": "complete", "task_id": "x"}, "body.operations.0.task_id"),
        ({"op": "complete", "filter": "statu = open"}, "body.operations.0.filter"),
        ({"op": "complete", "filter": "status = open", "revision": 1}, "body.operations.0"),
        ({"op": "delete", "task_id": ID, "expect": 1}, "body.operations.0"),
        ({"op": "delete", "filter": "status = open", "expect": "1"}, "body.operations.0.expect"),
        ({"op": "delete", "filter": "status = open", "expect": -1}, "body.operations.0.expect"),
        ({"op": "delete", "filter": ""}, "body.operations.0.filter"),
        ({"op": "delete", "filter": "  "}, "body.operations.0.filter"),
        ({"op": "delete", "filter": None}, "body.operations.0.filter"),
        ({"op": "delete", "filter": 'title ~ ""'}, "body.operations.0.filter"),
        ({"op": "delete", "task_id": ID, "temp_id": "a"}, "body.operations.0"),
    ],
)
def test_what_makes_no_sense_is_told_by_index(scene, operation, location):
    problem = assert_problem(run(scene.owner, operation), 422)
    assert problem["errors"][0]["location"] == location, problem["errors"]


def test_a_temp_id_is_given_once_and_before_it_is_used(scene):
    twice = run(scene.owner, create(scene, "a", temp_id="x"), create(scene, "b", temp_id="x"))
    assert assert_problem(twice, 422)["errors"][0]["location"] == "body.operations.1.temp_id"
    early = run(scene.owner, {"op": "complete", "task_id": "temp:x"}, create(scene, "a", temp_id="x"))
    assert assert_problem(early, 422)["errors"][0]["location"] == "body.operations.0.task_id"


@pytest.mark.parametrize("operations", [[], [{"op": "complete", "task_id": ID}] * 101, "x", [5]])
def test_a_request_has_one_to_a_hundred_operations(scene, operations):
    assert_problem(scene.owner.post(BULK, json={"operations": operations}), 422)


KEY = {"Idempotency-Key": "k"}


@pytest.mark.parametrize("expect", [{}, {"expect": 3}])
def test_a_filter_stands_for_the_same_tasks_when_a_request_is_repeated(scene, three, expect):
    """What was done is not found by the filter any more, and a second task is: neither makes a difference."""
    operations = [{"op": "complete", "filter": "status = open", **expect}, create(scene, "new")]
    first = run(scene.owner, *operations, headers=KEY, **EACH)
    assert [(result["index"], result["status"]) for result in results(first)] == [(0, 200)] * 3 + [(1, 201)]
    again = run(scene.owner, *operations, headers=KEY, **EACH)
    assert again.json == first.json
    assert titles() == ["a", "b", "c", "new"]
    assert Task.objects(title="new").first().status == "open"


def test_an_operation_is_known_by_its_index_however_many_tasks_those_before_it_are_about(scene, three):
    operations = [{"op": "complete", "filter": "label = later"}, create(scene, "new")]
    first = results(run(scene.owner, *operations, headers=KEY, **EACH))
    assert [result["status"] for result in first] == [422, 201]
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "later"}).json["id"]
    for task_id in three:
        patch(scene.owner, f"/api/v1/tasks/{task_id}", {"label_ids": [label]})
    again = results(run(scene.owner, *operations, headers=KEY, **EACH))
    assert [result["status"] for result in again] == [200, 200, 200, 201]
    assert again[-1]["task"]["id"] == first[-1]["task"]["id"]
    assert titles() == ["a", "b", "c", "new"]


def test_what_there_is_no_time_for_is_told_and_done_when_repeated(scene, three, monkeypatch, commands):
    operations = [
        create(scene, "new"),
        {"op": "complete", "filter": "status = open"},
        {"op": "delete", "task_id": three[0]},
    ]
    monkeypatch.setattr(bulk, "MAX_EACH_SECONDS", -1)
    with commands.counted() as sent:
        found = results(run(scene.owner, *operations, headers=KEY, **EACH))
    assert [(result["index"], result["status"]) for result in found] == [(0, 503), (1, 503), (2, 503)]
    assert {result["problem"]["code"] for result in found} == {"bulk.unfinished"}
    assert "insert" not in sent
    assert titles() == ["a", "b", "c"]
    monkeypatch.undo()
    found = results(run(scene.owner, *operations, headers=KEY, **EACH))
    assert [result["status"] for result in found] == [201, 200, 200, 200, 200, 204]


def test_counting_has_a_bound_as_a_whole(scene, three, monkeypatch, commands):
    """The time of the request is over at once: it is answered, and not a filter later."""
    operations = [{"op": "complete", "filter": "status = open"}] * 100
    monkeypatch.setattr(bulk, "MAX_SECONDS", 0.000001)
    with commands.counted() as sent:
        assert_problem(run(scene.owner, *operations, dry_run=True), 503, code="query.too_slow")
    assert len(sent) < 10
