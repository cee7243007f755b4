"""A page ends where its bytes are too many, whatever list it is of, and the next one goes on."""

from datetime import UTC, datetime

import pytest
from bson import ObjectId

from taskmanager.core.storage import querysets
from taskmanager.core.storage.querysets import MAX_PAGE_BYTES
from taskmanager.features.notifications.models import Notification
from taskmanager.features.tasks import expansions
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import task_row
from taskmanager.web import answers

LONG = "🙂" * 50_000  # the longest description: 200 KB
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def pages(client, path, **query):
    """All pages of a list."""
    while True:
        answer = client.get(path, query_string=query)
        assert answer.status_code == 200, answer.text
        yield answer
        query["cursor"] = answer.json["next_cursor"]
        if query["cursor"] is None:
            return


@pytest.fixture
def long_tasks(scene):
    rows = [task_row(scene.project.id, title=f"Task {number}") for number in range(60)]
    for row in rows:
        row.description = LONG  # without its tokens, which take long to make
    Task.objects.insert(rows, load_bulk=False)
    return rows


@pytest.mark.parametrize("path", ["/api/v1/tasks", "{scene.tasks_path}", "/api/v1/search"])
def test_what_holds_many_tasks_cuts_their_descriptions(scene, long_tasks, path):
    query = {"limit": 50} | ({"q": "task"} if path.endswith("search") else {})
    answer = scene.owner.get(path.format(scene=scene), query_string=query)
    assert len(answer.json["items"]) == 50
    assert len(answer.data) < 200_000
    texts = {item.get("task", item)["description"] for item in answer.json["items"]}
    assert texts - {None} == {"🙂" * 500 + "…"}


def test_a_list_of_descriptions_comes_in_pages_that_are_not_too_large(scene, long_tasks):
    found = list(pages(scene.owner, scene.tasks_path, limit=200, fields="id,description"))
    assert [len(page.data) <= MAX_PAGE_BYTES + 1000 for page in found] == [True] * len(found)
    assert len(found) == 4
    assert sum(len(page.json["items"]) for page in found) == 61
    assert len({item["id"] for page in found for item in page.json["items"]}) == 61
    assert "Link" in found[0].headers


def test_a_bulk_answer_cuts_descriptions(scene, long_tasks):
    body = {"operations": [{"op": "complete", "task_id": str(task.id)} for task in long_tasks[:5]]}
    answer = scene.owner.post("/api/v1/tasks/bulk", json=body)
    assert answer.status_code == 200, answer.text
    assert len(answer.data) < 200_000


def fill(scene):
    """Three of everything that is listed beside tasks, and their paths."""
    client, project, task = scene.owner, scene.project_path, scene.task_path
    for number in range(3):
        for path, body in {
            "/api/v1/projects": {"key": f"MORE{number}", "name": "More"},
            scene.tasks_path: {"title": "A subtask", "parent_id": str(scene.task.id)},
            f"{task}/comments": {"text": "Looks good"},
            f"{task}/reminders": {"at": "2100-01-01T00:00:00Z"},
            f"{project}/labels": {"name": f"label {number}"},
            f"{project}/custom-fields": {"key": f"field{number}", "name": "Field", "type": "text"},
            f"{project}/views": {"name": f"view {number}", "filter": "status = open", "sort": "due_at"},
            f"{project}/share-links": {"role": "viewer"},
            f"{project}/webhooks": {"url": "https://8.8.8.8/hook", "events": ["*"]},
            "/api/v1/users/me/tokens": {"name": "T", "scopes": ["tasks:read"], "expires_at": None},
        }.items():
            answer = client.post(path, json=body)
            assert answer.status_code in (201, 422), answer.text
        scene.member()
        Notification(
            user_id=client.user.id, event_id=ObjectId(), kind="x", title="x" * 90, text="x" * 90, expires_at=LATER
        ).save(force_insert=True)
    others = [item["id"] for item in client.get(f"{task}/subtasks").json["items"]]
    for other in others:
        assert client.post(f"{task}/relations", json={"kind": "relates", "task_id": other}).status_code == 201


LISTS = (
    "/api/v1/projects",
    "/api/v1/tasks",
    "/api/v1/notifications",
    "/api/v1/users/me/events",
    "{project}/tasks",
    "{project}/members",
    "{project}/labels",
    "{project}/custom-fields",
    "{project}/views",
    "{project}/share-links",
    "{project}/webhooks",
    "{task}/comments",
    "{task}/comments?html=true",
    "{task}/reminders",
    "{task}/relations",
    "{task}/subtasks",
    "{task}/activity",
)


def test_every_list_can_end_a_page_early(scene, monkeypatch):
    fill(scene)
    for path in (path.format(project=scene.project_path, task=scene.task_path) for path in LISTS):
        path, _, query = path.partition("?")
        query = dict(part.split("=") for part in query.split("&") if part)
        whole = [item for page in pages(scene.owner, path, **query) for item in page.json["items"]]
        assert len(whole) >= 2, path
        with monkeypatch.context() as patched:
            patched.setattr(querysets, "MAX_PAGE_BYTES", 200)
            patched.setattr(answers, "MAX_PAGE_BYTES", 200)
            parts = list(pages(scene.owner, path, **query))
        assert [item for page in parts for item in page.json["items"]] == whole, path
        assert len(parts) > 1, path


def test_what_is_embedded_is_bounded(scene, monkeypatch):
    people = [scene.owner.user.id, *(scene.member().user.id for _ in range(3))]
    Task.objects.insert([task_row(scene.project.id, watcher_ids=people) for _ in range(4)], load_bulk=False)
    monkeypatch.setattr(expansions, "MAX_EMBEDDED", 9)
    found = list(pages(scene.owner, scene.tasks_path, expand="watchers"))
    assert [len(page.json["items"]) for page in found] == [3, 2]
    assert [len(item["watchers"]) for page in found for item in page.json["items"]] == [0, 4, 4, 4, 4]
