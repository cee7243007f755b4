"""Damaged counts are found and repaired, while others write; what is overdue is counted as time passes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import time_machine

from migrations.scripts import m202611271902_task_counts as migration
from taskmanager.core.storage import database
from taskmanager.features.insights.counts import listeners
from taskmanager.features.insights.counts.repair import Recount, count_overdue, pass_idle
from taskmanager.features.projects.models import Project
from taskmanager.features.tasks import service as tasks
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, TaskFactory, actor_of, task_row
from tests.scene import Scene, patch
from tests.workers.conftest import command  # noqa: F401 a fixture

FACETS, STATS = "/api/v1/tasks/facets", "/api/v1/tasks/stats"
NOON = datetime(2026, 9, 18, 12, tzinfo=UTC)


def counts():
    return TaskCounts._get_collection()


def total(scene):
    return scene.owner.get(f"{scene.project_path}/stats").json["total"]


def insert_unseen(project_id, number, **fields):
    """Insert tasks as a release does that keeps no counts."""
    Task._get_collection().insert_many([task_row(project_id, **fields).to_mongo() for _ in range(number)])


def differences(scene):
    return Recount.of_service().differences(scene.project.id).numbers


def test_what_another_release_wrote_is_found_and_repaired(scene):
    insert_unseen(scene.project.id, 3, due_at=datetime(2020, 1, 1, tzinfo=UTC))
    assert total(scene) == 1
    lacking = {path: number for (_, _, path), number in differences(scene).items()}
    assert (lacking["status.open.backlog"], lacking["overdue"], lacking["person.none.overdue"]) == (3, 3, 3)
    Recount.of_service().repair(scene.project.id)
    assert differences(scene) == {}
    figures = scene.owner.get(STATS).json
    assert (figures["total"], figures["overdue"], figures["weeks"][-1]["created"]) == (4, 3, 4)


def test_the_job_verifies_one_project_after_the_other(scene):
    others = [ProjectFactory(owner=scene.owner.user) for _ in range(2)]
    for project in (scene.project, *others):
        insert_unseen(project.id, 2)
    for _ in range(4):  # three projects, and the end of the round
        listeners.verify_counts()
    assert scene.owner.get(STATS).json["total"] == 7


def test_a_repair_of_a_purged_project_leaves_nothing(scene):
    project_id = ProjectFactory(owner=scene.owner.user).id
    Project._get_collection().delete_one({"_id": project_id})
    Recount.of_service().repair(project_id)
    assert counts().count_documents({"project_id": project_id}) == 0
    Recount.of_service().repair(scene.project.id)
    assert total(scene) == 1


def test_writes_during_a_repair_are_counted_once(scene):
    insert_unseen(scene.project.id, 2000)
    actor, stop = actor_of(scene.owner.user), Event()

    def write():
        made = 0
        while not stop.is_set():
            task = tasks.create(scene.project.id, {"title": "Meanwhile"}, actor=actor)
            tasks.complete(task.id, if_match=None, actor=actor)
            made += 1
        return made

    with ThreadPoolExecutor(1) as pool:
        writer = pool.submit(write)
        for _ in range(3):
            Recount.of_service().repair(scene.project.id)
        stop.set()
        made = writer.result()
    assert made > 0
    assert differences(scene) == {}
    assert total(scene) == 2001 + made


def test_of_two_repairs_of_the_same_damage_one_counts(scene):
    insert_unseen(scene.project.id, 5)
    recount = Recount.of_service()
    found = [recount.differences(scene.project.id) for _ in range(2)]
    assert [recount.correct(one) for one in found] == [True, False]
    assert total(scene) == 6


def test_the_migration_counts_what_there_is_and_may_run_again(scene):
    insert_unseen(scene.project.id, 4)
    counts().delete_many({})
    for _ in range(2):
        migration.upgrade(database.database())
        assert (total(scene), differences(scene)) == (5, {})


def test_the_commands_say_what_is_wrong_and_correct_it(scene, command, settings):  # noqa: F811
    assert command("counters", "verify", mongodb_uri=settings.mongodb_uri).returncode == 0
    insert_unseen(scene.project.id, 2)
    ran = command("counters", "verify", "--project", str(scene.project.id), mongodb_uri=settings.mongodb_uri)
    assert ran.returncode == 1 and f"{scene.project.id}  status.open.backlog: +2" in ran.stdout.splitlines(), ran.stdout
    ran = command("counters", "repair", mongodb_uri=settings.mongodb_uri)
    assert ran.returncode == 0 and ran.stdout.splitlines()[-1] == "The counts of 1 projects were repaired."
    assert command("counters", "verify", mongodb_uri=settings.mongodb_uri).returncode == 0
    assert total(scene) == 3


def test_a_next_task_that_a_reopening_deletes_is_not_counted(scene):
    made = scene.owner.post(
        scene.tasks_path, json={"title": "Stretch", "due": "2100-01-01", "recurrence": "FREQ=DAILY"}
    )
    path = f"/api/v1/tasks/{made.json['id']}/completion"
    scene.owner.put(path, headers={"If-Match": "*"})
    assert total(scene) == 3
    scene.owner.delete(path, headers={"If-Match": "*"})
    assert (total(scene), differences(scene)) == (2, {})


def test_a_copy_of_a_project_is_counted(scene):
    TaskFactory.create_batch(3, project=scene.project)
    body = {"key": "COPY", "name": "Copy", "with_tasks": True}
    copied = scene.owner.post(f"{scene.project_path}/copy", json=body).json["id"]
    assert scene.owner.get(f"/api/v1/projects/{copied}/stats").json["total"] == 4


@pytest.fixture
def day(app):
    """A scene at noon, with a task that is due soon, and the clock."""
    with time_machine.travel(NOON, tick=False) as clock:
        scene = Scene(app)
        patch(scene.owner, scene.task_path, {"due": "2026-09-18T12:02:00Z", "estimate_minutes": 5})
        yield scene, clock


def overdue(scene):
    figures = scene.owner.get(STATS).json
    assert [row["overdue"] for row in figures["workload"]] in ([figures["overdue"]], [])
    return figures["overdue"]


def stored_overdue(scene):
    return counts().find_one({"project_id": scene.project.id, "week": None}).get("overdue", 0)


def test_a_task_is_overdue_at_its_moment_and_the_job_stores_it(day):
    scene, clock = day
    assert overdue(scene) == 0
    clock.shift(timedelta(minutes=2))
    assert overdue(scene) == 0
    clock.shift(timedelta(milliseconds=1))
    assert (overdue(scene), stored_overdue(scene)) == (1, 0)
    clock.shift(timedelta(minutes=11))
    for _ in range(2):
        listeners.count_overdue_tasks()
        assert (overdue(scene), stored_overdue(scene)) == (1, 1)
    patch(scene.owner, scene.task_path, {"due": "2026-09-18T14:00:00Z"})
    assert (overdue(scene), stored_overdue(scene), differences(scene)) == (0, 0, {})


def test_a_due_that_is_moved_while_the_overdue_are_counted_is_counted_once(day, monkeypatch):
    """The two transactions read different documents; they must conflict nevertheless."""
    scene, clock = day
    actor, moved = actor_of(scene.owner.user), []
    other = TaskFactory(project=scene.project, due="2026-09-19")
    clock.shift(timedelta(hours=2))
    collection = type(counts())
    update_one = collection.update_one

    def move_first(self, *args, **kwargs):
        if self.name == "task_counts" and not moved:
            moved.append(True)
            with ThreadPoolExecutor(1) as pool:  # in another transaction, as another process
                pool.submit(
                    tasks.update, other.id, {"due": "2026-09-18T13:30:00Z"}, if_match=None, actor=actor
                ).result()
        return update_one(self, *args, **kwargs)

    monkeypatch.setattr(collection, "update_one", move_first)
    count_overdue(scene.project.id)
    assert moved and (stored_overdue(scene), differences(scene)) == (2, {})


def test_projects_where_nothing_became_overdue_cost_no_transaction(day, commands):
    scene, clock = day
    patch(scene.owner, scene.task_path, {"due": None})
    for _ in range(3):
        other = ProjectFactory(owner=scene.owner.user)
        scene.owner.post(f"/api/v1/projects/{other.id}/tasks", json={"title": "Without a day"})
    clock.shift(timedelta(minutes=20))
    with commands.counted() as sent:
        listeners.count_overdue_tasks()
    assert sorted(sent) == ["aggregate", "find", "find", "update", "update"]  # with the walk's position
    before = datetime.now(UTC) - timedelta(minutes=5)
    assert counts().count_documents({"week": None, "overdue_before": {"$lt": before}}) == 0


def test_a_project_that_is_written_meanwhile_is_not_passed_over(day, monkeypatch):
    scene, clock = day
    patch(scene.owner, scene.task_path, {"due": None})
    clock.shift(timedelta(minutes=20))
    head = counts().find_one({"project_id": scene.project.id, "week": None})
    actor = actor_of(scene.owner.user)
    tasks.update(scene.task.id, {"due": "2026-09-18T12:10:00Z"}, if_match=None, actor=actor)  # since the head was read
    with monkeypatch.context() as earlier:
        earlier.setattr("taskmanager.features.insights.counts.repair.projects_with_overdue", lambda since, end: set())
        pass_idle([head])
    listeners.count_overdue_tasks()
    assert (stored_overdue(scene), differences(scene)) == (1, {})


def test_labels_that_no_task_has_any_more_are_not_kept(day, deliver):
    scene, clock = day
    label = scene.owner.post(f"{scene.project_path}/labels", json={"name": "bug"}).json["id"]
    patch(scene.owner, scene.task_path, {"label_ids": [label]})
    assert counts().find_one({f"label.{label}": 1})
    patch(scene.owner, scene.task_path, {"label_ids": []})
    assert scene.owner.get(FACETS).json["label"] == [{"value": None, "count": 1}]
    clock.shift(timedelta(minutes=20))
    listeners.count_overdue_tasks()
    assert counts().count_documents({f"label.{label}": {"$exists": True}}) == 0


def test_with_a_filter_ten_thousand_tasks_are_counted_and_the_answer_says_so(scene):
    insert_unseen(scene.project.id, 10_000, priority=2)
    for path in (f"{scene.project_path}/facets", FACETS):
        exact = scene.owner.get(path, query_string={"filter": "priority = medium"}).json
        assert (exact["relation"], exact["priority"]) == ("eq", [{"value": "medium", "count": 10_000}])
        beyond = scene.owner.get(path, query_string={"filter": "status = open"}).json
        assert (beyond["relation"], beyond["status"]) == ("gte", [{"value": "open", "count": 10_000}])
    figures = scene.owner.get(STATS, query_string={"filter": "status = open"}).json
    assert (figures["relation"], figures["total"]) == ("gte", 10_000)
    Recount.of_service().repair(scene.project.id)
    assert scene.owner.get(FACETS).json["status"] == [{"value": "open", "count": 10_001}]


def test_what_is_counted_costs_the_same_for_any_number_of_tasks(scene, commands):
    for number in (1, 500):
        insert_unseen(scene.project.id, number)
        Recount.of_service().repair(scene.project.id)
        for path, expected in ((FACETS, ["find"]), (STATS, ["aggregate"])):
            scene.owner.get(path)
            with commands.counted() as sent:
                assert scene.owner.get(path).status_code == 200
            assert sent == expected
