"""`make sizes`: bytes that a task takes, in data and in indexes, by collection; the table of docs/operations.md.

Some hundred tasks are made by real requests and told by real jobs: described, labelled, assigned, changed, commented
on, with files, relations, reminders and subtasks. What that stored is then stored again under other ids until there are
`SIZES_TASKS` tasks, because a hundred thousand by requests take an hour. Data is counted before compression.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any

import pymongo
import pytest
from bson import ObjectId

from taskmanager.core.clock import now
from taskmanager.core.storage import database
from taskmanager.features.webhooks.delivery.channel import WebhookChannel
from tests.features.files import attach
from tests.scene import Scene, patch

TASKS = int(os.environ.get("SIZES_TASKS", "100000"))
REAL = min(TASKS, int(os.environ.get("SIZES_REAL", "500")))
_TEXT = """
    review contract with the supplier before friday and send notes to finance about missing invoices of last quarter
    prepare slides for customer meeting check server backups renew certificate order paper ask legal about licence
"""
_WORDS = _TEXT.split()
_SHARED = (
    "users",
    "projects",
    "memberships",
    "labels",
    "custom_fields",
    "webhooks",
    "sessions",
    "counters",
    "mail_counts",
)
_ANY = {"If-Match": "*"}


def words(number: int, count: int) -> str:
    return " ".join(_WORDS[(number * 7 + place * (number % 5 + 1)) % len(_WORDS)] for place in range(count))


def use(scene: Scene, people: list[Any], labels: list[str], before: list[str], number: int) -> str:
    """Make one task, and do with it what people do."""
    owner, member = scene.owner, people[number % len(people)]
    body: dict[str, Any] = {
        "title": f"{words(number, 6)} {number}",
        "description": words(number, 40) if number % 2 else "",
        "label_ids": labels[: number % 3],
        "assignee_ids": [str(member.user.id)],
        "priority": ("low", "medium", "high")[number % 3],
        "due": (now() + timedelta(days=number % 90)).strftime("%Y-%m-%d"),
        "custom_fields": {"points": number % 13},
    }
    if number % 10 == 1 and before:
        body["parent_id"] = before[-1]
    task = owner.post(scene.tasks_path, json=body)
    if task.status_code == 422:  # too deep
        task = owner.post(scene.tasks_path, json=body | {"parent_id": None})
    assert task.status_code == 201, task.text
    path = f"/api/v1/tasks/{task.json['id']}"
    assert patch(member, path, {"priority": "urgent", "due": "2030-01-01"}).status_code == 200
    assert patch(owner, path, {"title": f"{words(number + 1, 5)} {number}"}).status_code == 200
    for each in range(number % 3):
        assert owner.post(f"{path}/comments", json={"text": words(number + each, 25)}).status_code == 201
    if number % 5 == 0:
        assert attach(member, path, b"x" * 2000, f"file-{number}.txt").status_code == 201
    if number % 5 == 1 and before:
        owner.post(f"{path}/relations", json={"kind": "relates", "task_id": before[0]})
    if number % 4 == 0:
        member.post(f"{path}/reminders", json={"relative_to": "due", "minutes_before": 30})
    if number % 2 == 0:
        assert owner.put(f"{path}/completion", headers=_ANY).status_code in (200, 409)
    return str(task.json["id"])


@pytest.fixture
def used(app: Any, deliver: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """A project of five people and a webhook, in which REAL tasks were worked on and told."""
    monkeypatch.setattr(WebhookChannel, "send", lambda self, message: None)
    scene = Scene(app)
    people = [scene.member() for _ in range(4)]
    label = [scene.owner.post(f"{scene.project_path}/labels", json={"name": f"label {n}"}).json["id"] for n in range(3)]
    scene.owner.post(f"{scene.project_path}/custom-fields", json={"key": "points", "name": "Points", "type": "number"})
    hook = {"url": "https://example.com/hook", "events": ["task.*"]}
    hooked = scene.owner.post(f"{scene.project_path}/webhooks", json=hook)
    assert hooked.status_code in (201, 422), hooked.text
    made: list[str] = []
    for number in range(REAL):
        made.append(use(scene, people, label, made[-3:], number))
        if number % 50 == 49:
            deliver()
    deliver()
    yield scene


def test_sizes(used: Scene) -> None:
    base = database.database()
    names = sorted(name for name in base.list_collection_names() if base[name].estimated_document_count())
    per_task = [name for name in names if name not in _SHARED and name not in ("migrations", "emptied", "schedules")]
    originals = {name: list(base[name].find()) for name in per_task}
    with pymongo.timeout(3600):
        for copy in range(1, TASKS // REAL):
            for name, rows in again(originals, copy).items():
                base[name].insert_many(rows, ordered=False)
        base.client.admin.command("fsync")
    print(f"\n{base['tasks'].estimated_document_count():,} tasks, of which {REAL} by requests\n")
    print(*table(base, per_task), sep="\n")


def again(originals: dict[str, list[dict[str, Any]]], copy: int) -> dict[str, list[dict[str, Any]]]:
    """The same documents as if other tasks had been worked on in the same way."""
    renamed = {row["_id"]: ObjectId() for rows in originals.values() for row in rows if type(row["_id"]) is ObjectId}
    renamed |= {row["content_id"]: ObjectId() for row in originals.get("attachments", [])}
    renamed |= dict.fromkeys((row["project_id"] for row in originals["task_counts"]), ObjectId())
    most = len(originals["events"])
    return {name: [_again(name, row, renamed, copy, most) for row in rows] for name, rows in originals.items()}


def _again(name: str, row: dict[str, Any], renamed: dict[ObjectId, ObjectId], copy: int, most: int) -> dict[str, Any]:
    made: dict[str, Any] = _replaced(row, renamed)
    if name != "task_counts" and "project_id" in row:  # only the counts are those of another project
        made["project_id"] = row["project_id"]
    if name == "tasks":
        made["key"] = f"{row['key']}{copy:04}"
    if name == "events":
        made["seq"] = row["seq"] + copy * most * 2
    if isinstance(row["_id"], str):
        made["_id"] = f"{row['_id']}{copy}"
    return made


def _replaced(value: Any, renamed: dict[ObjectId, ObjectId]) -> Any:
    if isinstance(value, dict):
        return {name: _replaced(part, renamed) for name, part in value.items()}
    if isinstance(value, list):
        return [_replaced(part, renamed) for part in value]
    return renamed.get(value, value) if isinstance(value, ObjectId) else value


def table(base: Any, names: Iterable[str]) -> Iterator[str]:
    tasks, sums = base["tasks"].estimated_document_count(), Counter[str]()
    yield "| collection | documents a task | bytes a document | bytes a task: data | indexes | on disk, compressed |"
    yield "|---|---|---|---|---|---|"
    for name in names:
        stats = base.command("collStats", name)
        parts = {key: stats[key] / tasks for key in ("size", "totalIndexSize", "storageSize")}
        sums.update(parts)
        yield (
            f"| `{name}` | {stats['count'] / tasks:.2f} | {stats.get('avgObjSize', 0):,} | {parts['size']:,.0f} "
            f"| {parts['totalIndexSize']:,.0f} | {parts['storageSize']:,.0f} |"
        )
    yield f"| together | | | {sums['size']:,.0f} | {sums['totalIndexSize']:,.0f} | {sums['storageSize']:,.0f} |"
