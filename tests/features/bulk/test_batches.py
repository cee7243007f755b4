"""A hundred operations are a few commands, and store what a hundred requests store."""

from collections import Counter
from datetime import timedelta

import pytest

from taskmanager.core.clock import iso, now
from taskmanager.core.events.log import Event
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.reminders.models import Reminder
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.commands import Commands
from tests.scene import patch
from tests.web.counting import store_trips

BULK, TASKS = "/api/v1/tasks/bulk", "/api/v1/tasks"
NUMBER, MAX_COMMANDS = 100, 25
ACTIONS = ("create", "update", "complete", "reopen", "delete")
_TIMES = {"created_at", "updated_at", "completed_at", "closed_at", "started_at", "deleted_at"}


class Place:
    """A project with what its tasks refer to, and `number` tasks with a parent, some with reminders or a rule."""

    def __init__(self, owner, number):
        self.owner, self.project = owner, ProjectFactory(owner=owner.user)
        self.path = f"/api/v1/projects/{self.project.id}"
        self.label = self.made("labels", {"name": "bug"})
        self.made("custom-fields", {"key": "points", "name": "Points", "type": "number"})
        self.parent = self.made("tasks", {"title": "parent"})
        self.other = self.made("tasks", {"title": "other parent"})
        self.parts = [self.made("tasks", self.body(index)) for index in range(number)]
        for index, part in enumerate(self.parts):
            if index % 2:
                body = {"relative_to": "due", "minutes_before": 60}
                assert owner.post(f"{TASKS}/{part}/reminders", json=body).status_code == 201

    def made(self, kind, body):
        answer = self.owner.post(f"{self.path}/{kind}", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def body(self, index):
        """The body of a task; every third one recurs."""
        found = {
            "title": f"task {index:03}",
            "parent_id": self.parent,
            "label_ids": [self.label],
            "assignee_ids": [str(self.owner.user.id)],
            "custom_fields": {"points": index},
            "due": "2031-01-15",
        }
        return found | ({"recurrence": "FREQ=WEEKLY"} if index % 3 == 0 else {})

    def changes(self, index):
        """A change of everything that has consequences."""
        return {
            "title": f"task {index:03} again",
            "priority": "high",
            "status": "in_progress",
            "label_ids": [],
            "custom_fields": {"points": None},
            "due": "2031-02-15",
            "parent_id": self.other,
        }

    def operations(self, action):
        if action == "create":
            given = [{"project_id": str(self.project.id), "task": self.body(index)} for index in range(len(self.parts))]
        else:
            given = [{"task_id": part} for part in self.parts]
        if action == "update":
            given = [operation | {"task": self.changes(index)} for index, operation in enumerate(given)]
        return [{"op": action} | operation for operation in given]

    def one_by_one(self, action):
        """The same as the bulk request, by single requests."""
        for index, part in enumerate(self.parts):
            headers = {"If-Match": "*"}
            answer = {
                "create": lambda: self.owner.post(f"{self.path}/tasks", json=self.body(index)),  # noqa: B023
                "update": lambda: patch(self.owner, f"{TASKS}/{part}", self.changes(index)),  # noqa: B023
                "complete": lambda: self.owner.put(f"{TASKS}/{part}/completion", headers=headers),  # noqa: B023
                "reopen": lambda: self.owner.delete(f"{TASKS}/{part}/completion", headers=headers),  # noqa: B023
                "delete": lambda: self.owner.delete(f"{TASKS}/{part}", headers=headers),  # noqa: B023
            }[action]()
            assert answer.status_code < 300, answer.text

    def at_once(self, action):
        answer = self.owner.post(BULK, json={"operations": self.operations(action)})
        assert answer.status_code == 200, answer.text
        return answer.json["results"]

    def stored(self):
        """What the database has of the project, without ids and times."""
        tasks = list(Task.objects(project_id=self.project.id))
        names = {task.id: f"{task.title} {task.due}" for task in tasks}
        rows = [self._row(task, names) for task in tasks]
        reminders = Counter(
            (names[one.task_id], one.fire_at, one.carried) for one in Reminder.objects(task_id__in=list(names))
        )
        project = Project.objects.get(id=self.project.id)
        counters = (project.last_number, project.last_position, project.task_count)
        return sorted(rows, key=lambda row: row["key"]), reminders, counters

    def _row(self, task, names):
        row = {name: value for name, value in task.to_mongo().items() if name not in {*_TIMES, "_id", "project_id"}}
        row["times"] = sorted(name for name in _TIMES if task.to_mongo().get(name))
        row["key"] = row.pop("key_order").partition("-")[2] or task.key.partition("-")[2]
        row["labels"], row["tags"] = len(row.pop("label_ids", [])), len(row.pop("marks"))
        row["people"] = [row.pop("assignee_ids", None), row.pop("reporter_id")]
        for field in ("parent_id", "series_id", "next_task_id", "withdrawn_id", "trashed_with"):
            row[field] = names.get(row.get(field), field in row)
        row["withdrawn_key"] = row.get("withdrawn_key", "-").partition("-")[2]
        if row.get("progress"):
            row["revision"] = "the progress of a parent is written once"
        return row

    def events(self):
        """The events of the project, without ids and times; how often the progress of a parent was written is free."""
        found = Event.objects(stream=f"project:{self.project.id}").order_by("seq")
        seq = [event.seq for event in found]
        assert seq == list(range(1, len(seq) + 1))
        assert len({event.at for event in found}) <= len(seq)
        changed = [(event.kind, tuple(sorted(event.data.get("changes", {})))) for event in found]
        return Counter(event for event in changed if event[0] != "task.progressed")


def prepare(place, action):
    """Bring the tasks into the state in which the action does something."""
    if action == "reopen":
        place.one_by_one("complete")


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


def test_tasks_that_are_created_together_are_created_one_after_the_other(scene):
    place = Place(scene.owner, 12)
    last = now() + timedelta(seconds=20)  # of another process, whose clock is ahead
    Project.objects(id=place.project.id).update(set__last_created_at=last)
    created = [result["task"] for result in place.at_once("create")]
    later = place.owner.post(f"{place.path}/tasks", json={"title": "later"}).json
    times = [task["created_at"] for task in [*created, later]]
    assert [iso(last), *times] == sorted({iso(last), *times})
    numbers = [int(task["key"].partition("-")[2]) for task in [*created, later]]
    assert numbers == list(range(numbers[0], numbers[0] + 13))


def run(scene, *operations):
    answer = scene.owner.post(BULK, json={"operations": list(operations)})
    assert answer.status_code == 200, answer.text
    return answer.json["results"]


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


def test_a_subtask_is_deleted_before_its_parent(scene):
    parent = TaskFactory(project=scene.project, title="parent")
    part = TaskFactory(project=scene.project, title="part", parent_id=parent.id)
    run(scene, *({"op": "delete", "task_id": str(task.id)} for task in (part, parent)))
    assert (Task.objects.get(id=part.id).trashed_with, Task.objects.get(id=parent.id).trashed_with) == (None, None)


def test_tasks_that_become_parts_of_each_other_are_checked_one_after_the_other(scene):
    a, b, c = (str(TaskFactory(project=scene.project, title=title).id) for title in "abc")
    chain = [{"op": "update", "task_id": task, "task": {"parent_id": parent}} for task, parent in ((a, b), (b, c))]
    assert [result["task"]["parent_id"] for result in run(scene, *chain)] == [b, c]
    circle = [{"op": "update", "task_id": task, "task": {"parent_id": parent}} for task, parent in ((c, a), (a, c))]
    answer = scene.owner.post(BULK, json={"operations": circle})
    assert (answer.status_code, answer.json["index"]) == (422, 0)


def test_the_same_task_may_be_changed_twice(scene):
    task = str(scene.task.id)
    given = [{"op": "update", "task_id": task, "task": {"title": title}} for title in ("first", "second")]
    assert [result["task"]["revision"] for result in run(scene, *given)] == [2, 3]


def test_an_error_names_the_first_operation_that_fails(scene):
    tasks = [str(TaskFactory(project=scene.project, title=title).id) for title in "abc"]
    given = [{"op": "update", "task_id": task, "task": {"title": "x"}} for task in tasks]
    given[1]["task"] = {"status": "nothing"}
    given[2]["revision"] = 9  # found earlier, because revisions are checked for all tasks first
    answer = scene.owner.post(BULK, json={"operations": given})
    assert (answer.status_code, answer.json["index"]) == (422, 1)
    assert answer.json["errors"][0]["location"] == "body.operations.1.task.status"
    assert Task.objects(title="x").count() == 0


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


def create(scene):
    return {"op": "create", "project_id": str(scene.project.id), "task": {"title": "new"}}


def test_creations_in_two_projects_are_numbered_in_each(scene):
    other = ProjectFactory(owner=scene.owner.user)
    given = [
        {"op": "create", "project_id": str(project.id), "task": {"title": f"{number}"}}
        for number, project in enumerate([scene.project, other, scene.project, other])
    ]
    keys = [result["task"]["key"] for result in run(scene, *given)]
    assert keys == [f"{scene.project.key}-2", f"{other.key}-1", f"{scene.project.key}-3", f"{other.key}-2"]


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


class Family:
    """A parent with two subtasks, as requests see them."""

    def __init__(self, scene, **more):
        self.owner, self.path = scene.owner, scene.tasks_path
        self.parent = self.made("parent")
        self.first, self.second = (self.made(title, parent_id=self.parent, **more) for title in ("first", "second"))

    def made(self, title, **more):
        answer = self.owner.post(self.path, json={"title": title, **more})
        assert answer.status_code == 201, answer.text
        return answer.json["id"]

    def get(self, task):
        return self.owner.get(f"{TASKS}/{task}").json

    def done(self, task):
        answer = self.owner.put(f"{TASKS}/{task}/completion", headers={"If-Match": "*"})
        assert answer.status_code == 200, answer.text
        return answer.json

    def operations(self, kind, *tasks):
        """The operations on tasks: each is an id, or a pair of it and what else the operation has."""
        pairs = [(task, {}) if isinstance(task, str) else task for task in tasks]
        return [{"op": kind, "task_id": task, **more} for task, more in pairs]


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


def to(status, **more):
    return {"task": {"status": status}, **more}


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


def test_a_deleted_subtask_makes_the_revision_of_its_parent_old(scene):
    one = Family(scene)
    parent = (one.parent, {"revision": one.get(one.parent)["revision"]})
    answer = scene.owner.post(BULK, json={"operations": one.operations("delete", one.first, parent)})
    assert (answer.status_code, answer.json["index"]) == (412, 1)
    answer = scene.owner.post(BULK, json={"operations": one.operations("delete", one.parent, one.first)})
    assert (answer.status_code, answer.json["index"]) == (404, 1)


def test_a_parent_that_is_created_with_its_subtasks_is_created_before_it_progresses(scene):
    given = [create(scene) | {"temp_id": "top"}, create(scene), create(scene)]
    for operation in given[1:]:
        operation["task"] = {"title": "part", "parent_id": "temp:top"}
    parent = run(scene, *given)[0]["task"]
    assert (parent["revision"], parent["progress"]) == (1, {})
    kinds = [event.kind for event in Event.objects(subject_id=parent["id"]).order_by("seq")]
    assert kinds == ["task.created", "task.progressed"]


def test_subtasks_and_their_parent_are_changed_together_when_no_progress_changes(scene, commands):
    one = Family(scene)
    changes = [(task, {"task": {"priority": "high"}}) for task in (one.first, one.second, one.parent)]
    others = [(one.made(title), {"task": {"priority": "high"}}) for title in "ab"]
    with commands.counted() as unrelated:
        run(scene, *one.operations("update", *others))
    with commands.counted() as sent:
        run(scene, *one.operations("update", *changes))
    assert sent == unrelated


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
