"""`make costs`: what the largest requests that are allowed cost: CPU seconds of the web process, bytes of the answer.

Prints the table of docs/costs.md. The tests that docs/costs.md names hold the bounds, by counting work.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from bson import ObjectId

from taskmanager.core.configuration import settings
from taskmanager.features.projects.models import Label
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, task_row
from tests.scene import Scene, patch

LONG = "🙂" * 50_000
HAN = "".join(map(chr, range(0x4E00, 0x9FFF))) * 2
WORDS = " ".join(f"{number:x}" for number in range(11_000))[:50_000]
Row = tuple[str, Callable[[Scene], Any]]


@pytest.fixture
def scene(app: Any) -> Iterator[Scene]:
    """A project with 100 tasks of the longest descriptions, forty hostile comments and a daily task."""
    made = Scene(app)
    for _ in range(10):
        rows = [task_row(made.project.id, description=LONG) for _ in range(10)]
        Task.objects.insert(rows, load_bulk=False)
    yield made


def comment(text: str) -> Callable[[Scene], Any]:
    return lambda scene: scene.owner.post(f"{scene.task_path}/comments", json={"text": text[:20_000]})


def comments(scene: Scene) -> Callable[[Scene], Any]:
    text = "|" * 150 + "\n" + "|-" * 149 + "|\n" + ("|" * 150 + "\n") * 130
    for _ in range(40):
        assert comment(text)(scene).status_code == 201
    return lambda scene: scene.owner.get(f"{scene.task_path}/comments?html=true&limit=200")


def occurrences(due: str, rule: str) -> Callable[[Scene], Callable[[Scene], Any]]:
    def prepare(scene: Scene) -> Callable[[Scene], Any]:
        task = scene.owner.post(scene.tasks_path, json={"title": "x", "due": due, "recurrence": rule}).json["id"]
        return lambda scene: scene.owner.get(f"/api/v1/tasks/{task}/occurrences?limit=366&until=2200-01-01")

    return prepare


def bulk(scene: Scene) -> Callable[[Scene], Any]:
    ids = [str(row["_id"]) for row in Task.objects.in_project(scene.project.id).rows(100, ["_id"])]
    operations = [{"op": "complete", "task_id": task_id} for task_id in ids]
    return lambda scene: scene.owner.post("/api/v1/tasks/bulk", json={"operations": operations})


def filters(scene: Scene) -> Callable[[Scene], Any]:
    operations = [{"op": "complete", "filter": "assignee = me and not priority = low"}] * 100
    body = {"operations": operations, "dry_run": True}
    return lambda scene: scene.owner.post("/api/v1/tasks/bulk", json=body)


def copy(scene: Scene) -> Callable[[Scene], Any]:
    project = ProjectFactory(owner=scene.owner.user)
    Label.insert_all([Label(id=ObjectId(), project_id=project.id, name=f"l{n}") for n in range(1000)])
    Task.objects.insert([task_row(project.id, title=f"{n}") for n in range(500)], load_bulk=False)
    body = {"key": "COPY", "name": "Copy", "with_tasks": True}
    return lambda scene: scene.owner.post(f"/api/v1/projects/{project.id}/copy", json=body)


def at_once(call: Callable[[Scene], Any]) -> Callable[[Scene], Callable[[Scene], Any]]:
    return lambda scene: call


ROWS: tuple[tuple[str, Callable[[Scene], Callable[[Scene], Any]]], ...] = (
    ("366 occurrences of a daily rule", occurrences("2026-12-01", "FREQ=DAILY")),
    ("366 occurrences of a rule that matches seldom", occurrences("2028-02-29", "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29")),
    ("a comment: table", at_once(comment("|" + "a|" * 200 + "\n|" + "-|" * 200 + "\n" + "|\n" * 20_000))),
    ("a comment: brackets", at_once(comment("[*" * 10_000))),
    ("a comment: one long link used often", at_once(comment("[a]: " + "x" * 5000 + "\n" + "[a]" * 5000))),
    ("a list of forty such comments as HTML", comments),
    (
        "200 tasks with the longest descriptions",
        at_once(lambda scene: scene.owner.get(f"{scene.tasks_path}?limit=200")),
    ),
    (
        "the same, descriptions whole",
        at_once(lambda scene: scene.owner.get(f"{scene.tasks_path}?limit=200&fields=id,description")),
    ),
    ("search", at_once(lambda scene: scene.owner.get("/api/v1/search?q=task&limit=50"))),
    (
        "free text over long descriptions",
        at_once(lambda scene: scene.owner.get(f"{scene.tasks_path}?filter=description ~ nothing&with_total=true")),
    ),
    ("100 completions in one request", bulk),
    ("100 filters, counted", filters),
    (
        "a description of 50,000 characters, all words different",
        at_once(lambda scene: patch(scene.owner, scene.task_path, {"description": WORDS})),
    ),
    (
        "the same in a script without spaces",
        at_once(lambda scene: patch(scene.owner, scene.task_path, {"description": HAN})),
    ),
    ("a copy of a project with 500 tasks and 1,000 labels", copy),
    ("the export of an account", at_once(lambda scene: scene.owner.get("/api/v1/users/me/export"))),
    ("the OpenAPI document", at_once(lambda scene: scene.owner.get("/api/v1/openapi.json"))),
    (
        "a body of 1 MB of nested arrays",
        at_once(
            lambda scene: scene.owner.post(
                scene.tasks_path, data="[" * 400_000 + "]" * 400_000, content_type="application/json"
            )
        ),
    ),
    (
        "a body of 1 MB of ids",
        at_once(
            lambda scene: scene.owner.post(scene.tasks_path, json={"title": "x", "label_ids": ["a" * 24] * 35_000})
        ),
    ),
    (
        "quick add of the longest line",
        at_once(lambda scene: scene.owner.post("/api/v1/tasks/quick", json={"text": "every 2nd monday and " * 45})),
    ),
    ("an If-None-Match of 8 KB", at_once(lambda s: s.owner.get(s.task_path, headers={"If-None-Match": '"x",' * 2000}))),
    ("an Accept of 8 KB", at_once(lambda s: s.owner.get(s.task_path, headers={"Accept": "a/b;q=0.1," * 800}))),
)


def test_costs(scene: Scene, capsys: pytest.CaptureFixture[str]) -> None:
    """Print the table."""
    lines = [f"({settings.current().web_threads} threads)", "| request | status | CPU s | bytes |", "|---|---|---|---|"]
    for name, prepare in ROWS:
        call = prepare(scene)
        began = time.process_time()
        answer = call(scene)
        spent = time.process_time() - began
        lines.append(f"| {name} | {answer.status_code} | {spent:.3f} | {len(answer.data):,} |")
    with capsys.disabled():
        print("\n".join(["", *lines]))
