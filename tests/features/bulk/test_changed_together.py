"""Tasks that one request changes or deletes: together where that is the same, else one after the other."""

from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import TaskFactory
from tests.features.bulk.together import BULK, Family, run


def test_the_same_task_may_be_changed_twice(scene):
    task = str(scene.task.id)
    given = [{"op": "update", "task_id": task, "task": {"title": title}} for title in ("first", "second")]
    assert [result["task"]["revision"] for result in run(scene, *given)] == [2, 3]


def test_tasks_that_become_parts_of_each_other_are_checked_one_after_the_other(scene):
    a, b, c = (str(TaskFactory(project=scene.project, title=title).id) for title in "abc")
    chain = [{"op": "update", "task_id": task, "task": {"parent_id": parent}} for task, parent in ((a, b), (b, c))]
    assert [result["task"]["parent_id"] for result in run(scene, *chain)] == [b, c]
    circle = [{"op": "update", "task_id": task, "task": {"parent_id": parent}} for task, parent in ((c, a), (a, c))]
    answer = scene.owner.post(BULK, json={"operations": circle})
    assert (answer.status_code, answer.json["index"]) == (422, 0)


def test_subtasks_and_their_parent_are_changed_together_when_no_progress_changes(scene, commands):
    one = Family(scene)
    changes = [(task, {"task": {"priority": "high"}}) for task in (one.first, one.second, one.parent)]
    others = [(one.made(title), {"task": {"priority": "high"}}) for title in "ab"]
    with commands.counted() as unrelated:
        run(scene, *one.operations("update", *others))
    with commands.counted() as sent:
        run(scene, *one.operations("update", *changes))
    assert sent == unrelated


def test_a_subtask_is_deleted_before_its_parent(scene):
    parent = TaskFactory(project=scene.project, title="parent")
    part = TaskFactory(project=scene.project, title="part", parent_id=parent.id)
    run(scene, *({"op": "delete", "task_id": str(task.id)} for task in (part, parent)))
    assert (Task.objects.get(id=part.id).trashed_with, Task.objects.get(id=parent.id).trashed_with) == (None, None)


def test_a_deleted_subtask_makes_the_revision_of_its_parent_old(scene):
    one = Family(scene)
    parent = (one.parent, {"revision": one.get(one.parent)["revision"]})
    answer = scene.owner.post(BULK, json={"operations": one.operations("delete", one.first, parent)})
    assert (answer.status_code, answer.json["index"]) == (412, 1)
    answer = scene.owner.post(BULK, json={"operations": one.operations("delete", one.parent, one.first)})
    assert (answer.status_code, answer.json["index"]) == (404, 1)
