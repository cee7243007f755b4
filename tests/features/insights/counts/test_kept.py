"""Figures that a process keeps: made once of the same documents, and never those of other documents or another day."""

from datetime import UTC, datetime, timedelta

import bson
import time_machine

from taskmanager.features.insights.counts import kept
from taskmanager.features.insights.counts.kept import Kept
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.testing.factories import ProjectFactory, TaskFactory
from tests.features.test_counters import ANY
from tests.scene import Scene, patch

NIGHT = datetime(2026, 12, 2, 23, 57, tzinfo=UTC)


def figures(scene, name, query=""):
    answer = scene.owner.get(f"{scene.project_path}/{name}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_figures_follow_each_change_also_of_another_process(scene):
    for number in range(1, 4):
        assert sum(row["count"] for row in figures(scene, "facets")["status"]) == number
        assert figures(scene, "stats")["total"] == number
        TaskFactory(project=scene.project)
    past_the_service = {"$inc": {"priority.4": 5, "overdue": 3}}
    TaskCounts._get_collection().update_one({"project_id": scene.project.id, "week": None}, past_the_service)
    assert {"value": "urgent", "count": 5} in figures(scene, "facets")["priority"]
    assert figures(scene, "stats")["overdue"] == 3
    scene.owner.delete(scene.task_path, headers=ANY)
    assert figures(scene, "stats")["total"] == 3


def test_figures_of_the_same_counts_are_those_of_the_period_the_zone_and_the_day(app):
    with time_machine.travel(NIGHT, tick=False) as clock:
        scene = Scene(app)
        assert [len(figures(scene, "stats", f"?weeks={number}")["weeks"]) for number in (2, 5)] == [2, 5]
        assert [len(figures(scene, "stats", f"?days={number}")["burn_down"]) for number in (2, 5)] == [2, 5]
        assert figures(scene, "stats")["burn_down"][-1]["day"] == "2026-12-02"
        clock.shift(timedelta(minutes=6))
        today = figures(scene, "stats")["burn_down"][-1]
        assert (today["day"], today["created"]) == ("2026-12-03", 0)
        patch(scene.owner, "/api/v1/users/me", {"timezone": "Asia/Tokyo"})
        today = figures(scene, "stats")["burn_down"][-1]
        assert (today["day"], today["created"]) == ("2026-12-03", 1)


def test_a_task_becomes_overdue_without_any_write(app):
    with time_machine.travel(NIGHT, tick=False) as clock:
        scene = Scene(app)
        patch(scene.owner, scene.task_path, {"due": "2026-12-02T23:59:00Z"})
        assert figures(scene, "stats")["overdue"] == 0
        clock.shift(timedelta(minutes=6))
        assert figures(scene, "stats")["overdue"] == figures(scene, "stats")["workload"][0]["overdue"] == 1


def test_figures_are_made_once_however_many_people_have_overdue_tasks(app, monkeypatch):
    """MongoDB may group the tasks by people in another order each time: it does in large projects."""
    asked, read, of = [], [], Kept.of
    monkeypatch.setattr(kept, "count_reads", lambda kind, hits, misses: asked.append(hits))
    monkeypatch.setattr(Kept, "of", lambda self, *given: read.append(given[0]) or of(self, *given))
    with time_machine.travel(NIGHT, tick=False) as clock:
        scene = Scene(app)
        for _ in range(12):
            TaskFactory(project=scene.project, assignees=(scene.member().user,), due_at=NIGHT + timedelta(minutes=2))
        clock.shift(timedelta(minutes=6))
        assert [figures(scene, "stats")["overdue"] for _ in range(3)] == [12] * 3
    assert asked == [0, 1, 1]
    rows = [bson.encode(row) for row in bson.decode_all(read[0])]
    assert len(rows) > 12 and rows == sorted(rows)


def test_tasks_of_a_project_without_counts_are_not_overdue_by_the_counts_of_another(app):
    """Until the repair, what a release without counts has written is in none of the numbers."""
    with time_machine.travel(NIGHT, tick=False) as clock:
        scene = Scene(app)
        uncounted = ProjectFactory(owner=scene.owner.user)
        for path in (scene.task_path, f"/api/v1/tasks/{TaskFactory(project=uncounted).id}"):
            patch(scene.owner, path, {"due": "2026-12-02T23:59:00Z"})
        TaskCounts._get_collection().delete_many({"project_id": uncounted.id})
        clock.shift(timedelta(minutes=6))
        found = scene.owner.get("/api/v1/tasks/stats").json
        assert (found["total"], found["overdue"]) == (1, 1)


def test_the_same_documents_are_added_up_once_and_not_all_figures_are_kept(app):
    made, figures_of = [], Kept("figures of a test")

    def ask(number):
        return figures_of.of(b"", number, lambda rows: made.append(number) or [number])

    assert [ask(1), ask(1), ask(2)] == [[1], [1], [2]]
    assert made == [1, 2]
    for number in range(3, 3 + kept._MAX):
        ask(number)
    assert len(figures_of._found) == kept._MAX
    assert ask(1) == [1] and made.count(1) == 2
