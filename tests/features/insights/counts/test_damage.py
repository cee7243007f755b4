"""Counts that lack numbers, or have too few: statistics and facets are answered, and jobs reach every project."""

import random
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from bson import ObjectId
from pymongo.errors import OperationFailure
from structlog.testing import capture_logs

from taskmanager.features.insights import facets, statistics
from taskmanager.features.insights.counts import listeners
from taskmanager.features.insights.counts.repair import Recount
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, actor_of
from tests.scene import Scene, patch
from tests.workers.conftest import command  # noqa: F401 a fixture

ANY = {"If-Match": "*"}
LISTS = ("facets", "stats")
IDENTITY = ("_id", "project_id", "week")


def counts():
    return TaskCounts._get_collection()


def tasks():
    return Task._get_collection()


def moment(minutes=0):
    return (datetime.now(UTC) + timedelta(minutes=minutes)).replace(microsecond=0)


def overall(project):
    return counts().find_one({"project_id": project.id, "week": None})


def numbers_in(answer):
    if isinstance(answer, dict):
        answer = list(answer.values())
    if isinstance(answer, list):
        return [number for part in answer for number in numbers_in(part)]
    return [answer] if isinstance(answer, (int, float)) else []


def answers(scene):
    """The statistics and facets of the project and of all projects, which have no negative number."""
    found = {}
    for path in (f"{place}/{name}" for place in (scene.project_path, "/api/v1/tasks") for name in LISTS):
        answer = scene.owner.get(path)
        assert answer.status_code == 200, (path, answer.text)
        assert min(numbers_in(answer.json), default=0) >= 0, (path, answer.text)
        found[path] = answer.json
    return found


def without_counting(task, **fields):
    """Change a task as the release before does."""
    tasks().update_one({"_id": task.id}, {"$set": fields, "$inc": {"revision": 1}})


def complete_without_counting(task):
    without_counting(task, status="done", status_group="done", completed_at=moment(), closed_at=moment())


@pytest.fixture
def scene(app):
    scene = Scene(app)
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json["id"]
    me = str(scene.owner.user.id)
    change = {
        "label_ids": [label],
        "assignee_ids": [me],
        "priority": "high",
        "due": "2020-01-01",
        "estimate_minutes": 30,
    }
    patch(scene.owner, scene.task_path, change)
    return scene


def test_a_task_that_was_completed_without_counting_is_opened_again(scene):
    complete_without_counting(scene.task)
    assert scene.owner.delete(f"{scene.task_path}/completion", headers=ANY).status_code == 200
    week = answers(scene)[f"{scene.project_path}/stats"]["weeks"][-1]
    assert (week["completed"], week["cycle_hours_median"], week["cycle_hours_mean"]) == (0, None, None)


def test_a_task_that_was_never_counted_is_deleted(scene):
    counts().delete_many({})
    assert answers(scene)[f"{scene.project_path}/stats"]["total"] == 0
    scene.owner.delete(scene.task_path, headers=ANY)
    assert answers(scene)[f"{scene.project_path}/facets"]["status"] == []


def leaves(document, path=""):
    """The paths of everything in a document but its identity."""
    for name, value in document.items():
        if path or name not in IDENTITY:
            yield f"{path}{name}"
            if isinstance(value, dict):
                yield from leaves(value, f"{path}{name}.")


def damage(pick):
    """Change a tenth of what is counted: numbers below zero, fields and whole documents that are missing."""
    for row in list(counts().find()):
        for path in leaves(row):
            value = row
            for name in path.split("."):
                value = value[name]
            is_number = isinstance(value, int)
            if pick.random() > 0.1:
                continue
            if is_number and path != "repairs" and pick.random() < 0.6:
                counts().update_one({"_id": row["_id"]}, {"$set": {path: pick.choice([0, -1, -7])}})
            else:
                counts().update_one({"_id": row["_id"]}, {"$unset": {path: 1}})
        if pick.random() < 0.05:
            counts().delete_one({"_id": row["_id"]})


def test_any_damage_is_answered_and_repaired(scene):
    other = ProjectFactory(owner=scene.owner.user)
    fields = [{}, {"due_at": moment(-30)}, {"due_at": moment(300)}, {"assignee_ids": [scene.owner.user.id]}]
    for one in [TaskFactory(project=project, **more) for project in (scene.project, other) for more in fields]:
        if one.due_at is None:
            scene.owner.put(f"/api/v1/tasks/{one.id}/completion", headers=ANY)
    actor = actor_of(scene.owner.user)
    for seed in range(60):
        damage(random.Random(seed))
        answers(scene)
        counts().update_many({"overdue_before": {"$exists": True}}, {"$set": {"overdue_before": moment(-40)}})
        with capture_logs() as logs:
            listeners.count_overdue_tasks()
        assert not [log for log in logs if log["log_level"] == "error"], (seed, logs)
        answers(scene)
        for project in (scene.project, other):
            Recount.of_service().repair(project.id)
            assert Recount.of_service().differences(project.id).numbers == {}
        assert facets.count_values(actor=actor) == facets.of_matching(None, actor, None), seed
        period = statistics.Period.of(actor, 12, 30)
        assert statistics.compute(actor=actor) == statistics.of_matching(None, actor, None, period), seed


def test_overdue_tasks_of_a_person_who_was_not_counted(scene):
    one = TaskFactory(project=scene.project)
    without_counting(one, assignee_ids=[ObjectId()], due_at=moment(-30))
    other = ProjectFactory(owner=scene.owner.user)
    TaskFactory(project=other, due_at=moment(-30))
    for _ in range(2):
        counts().update_many({"week": None}, {"$set": {"overdue_before": moment(-40)}})
        listeners.count_overdue_tasks()
    assert overall(scene.project)["overdue_before"] > moment(-5)
    assert overall(other)["overdue_before"] > moment(-5)


def test_a_project_that_fails_does_not_stop_the_others(scene, command, settings):  # noqa: F811
    later = ProjectFactory(owner=scene.owner.user)
    one = TaskFactory(project=later)
    without_counting(one, due_at=moment(-30))
    counts().update_many({"week": None}, {"$set": {"overdue_before": moment(-40)}})
    counts().update_one({"_id": overall(scene.project)["_id"]}, {"$set": {"label": 5}})
    with capture_logs() as logs:
        listeners.count_overdue_tasks()
    assert [log["project_id"] for log in logs if log["log_level"] == "error"] == [str(scene.project.id)]
    assert overall(later)["overdue"] == 1
    counts().update_one({"_id": overall(later)["_id"]}, {"$inc": {"overdue": 4}})
    ran = command("counters", "repair", mongodb_uri=settings.mongodb_uri)
    assert ran.returncode == 1 and f"{scene.project.id}  failed: " in ran.stderr, ran.stderr
    assert ran.stdout.splitlines()[-1] == "The counts of 1 projects were repaired."
    counts().update_one({"_id": overall(later)["_id"]}, {"$inc": {"overdue": 4}})
    for _ in range(3):  # two projects, and the end of the round
        verify_counts()
    assert overall(later)["overdue"] == 1


def verify_counts():
    """Run the job as the scheduler does, which logs what it raises."""
    with suppress(OperationFailure):
        listeners.verify_counts()


def test_priorities_and_statuses_that_this_release_does_not_know(scene):
    one = TaskFactory(project=scene.project)
    without_counting(one, priority=9, status="waiting")
    Recount.of_service().repair(scene.project.id)
    for query in ({}, {"filter": "created_at < 2100-01-01"}):
        found = scene.owner.get(f"{scene.project_path}/facets", query_string=query).json
        assert found["priority"] == [{"value": "high", "count": 1}]
        assert {"value": "waiting", "count": 1} in found["status"]


def test_an_overdue_task_of_a_project_that_has_no_counts_yet(scene):
    counts().delete_many({"project_id": scene.project.id})
    listeners.count_overdue_tasks()
    for name in LISTS:
        assert scene.owner.get(f"{scene.project_path}/{name}").json["relation"] == "eq"
    patch(scene.owner, scene.task_path, {"due": "2020-01-02", "label_ids": [], "assignee_ids": []})
    answers(scene)
    Recount.of_service().repair(scene.project.id)
    assert answers(scene)[f"{scene.project_path}/stats"]["overdue"] == 1


def test_the_sum_of_the_cycle_times_is_below_zero(scene):
    scene.owner.put(f"{scene.task_path}/completion", headers=ANY)
    week = counts().find_one({"completed": {"$exists": True}})
    slot = next(iter(week["completed"]))
    counts().update_one({"_id": week["_id"]}, {"$inc": {f"completed.{slot}.ms": -36_000_000}})
    found = answers(scene)[f"{scene.project_path}/stats"]["weeks"][-1]
    assert (found["completed"], found["cycle_hours_mean"]) == (1, 0)


def test_tasks_become_overdue_after_the_repair_of_counts_that_do_not_say_until_when(scene):
    patch(scene.owner, scene.task_path, {"due": moment(2).strftime("%Y-%m-%dT%H:%M:%SZ")})
    counts().update_many({}, {"$unset": {"overdue_before": 1}})
    Recount.of_service().repair(scene.project.id)
    with time_machine.travel(moment(5)):
        assert answers(scene)[f"{scene.project_path}/stats"]["overdue"] == 1
