"""Items of lists whose JSON is kept: never another one than the stored row has now."""

import tracemalloc

import pytest
from bson import encode
from hypothesis import given, strategies as st

from taskmanager.core.stored_rows import StoredRows
from taskmanager.features.tasks.models import Task
from taskmanager.features.tasks.schemas import TASK
from taskmanager.testing.factories import TaskFactory
from taskmanager.web import encoded_rows
from taskmanager.web.encoded_rows import EncodedRows


def titles(client, path):
    return [item["title"] for item in client.get(path).json["items"]]


def test_what_is_written_past_the_service_is_seen_at_once(scene):
    tasks = [TaskFactory(project=scene.project, title=f"Task {number}") for number in range(3)]
    before = [titles(scene.owner, scene.tasks_path) for _ in range(3)]
    assert before[0] == before[1] == before[2]
    Task._get_collection().update_one({"_id": tasks[1].id}, {"$set": {"title": "Written by hand"}})
    after = titles(scene.owner, scene.tasks_path)
    assert sorted(after) == sorted([title for title in before[0] if title != "Task 1"] + ["Written by hand"])


def test_lists_of_other_fields_have_their_own_items(scene):
    paths = [
        f"{scene.tasks_path}{query}" for query in ("", "?fields=id,title", "?fields=title", "?expand=reporter", "")
    ]
    keys = [[set(scene.owner.get(path).json["items"][0]) for path in paths] for _ in range(2)]
    assert keys[0] == keys[1] and keys[0][1:3] == [{"id", "title"}, {"title"}] and keys[0][0] == keys[0][4]
    assert keys[0][3] - keys[0][0] == {"reporter"}


def test_members_see_the_same_items(scene):
    member = scene.member("member")
    assert scene.owner.get(scene.tasks_path).json == member.get(scene.tasks_path).json


@given(numbers=st.lists(st.integers(0, 400), max_size=60))
def test_items_are_those_of_the_serialiser_whatever_is_forgotten(numbers):
    kept, dump = EncodedRows(), TASK.list_item()
    for _ in range(2):
        rows = StoredRows([encode({"title": f"Task {number}", "description": "x" * 300}) for number in numbers])
        expected = EncodedRows().items(dump, list(rows))
        assert kept.items(dump, StoredRows(rows.stored)) == expected


def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr(encoded_rows, "_HALF_BYTES", 100_000)
    kept, dump = EncodedRows(), TASK.list_item()
    tracemalloc.start()
    try:
        for start in range(0, 5_000, 50):
            rows = [encode({"title": f"Task {number}"}) for number in range(start, start + 50)]
            found = kept.items(dump, StoredRows(rows))
            del rows
        assert tracemalloc.get_traced_memory()[0] < 400_000
    finally:
        tracemalloc.stop()
    assert kept.items(dump, StoredRows([encode({"title": "Task 4999"})])) == found[-1:]


@pytest.mark.parametrize("rows", [[], [encode({"title": "A task"})]])
def test_any_number_of_selections_of_fields_is_bounded(monkeypatch, rows):
    monkeypatch.setattr(encoded_rows, "_HALF_BYTES", 100_000)
    kept = EncodedRows()
    for number in range(1_000):
        kept.items(lambda row, number=number: {"id": number}, StoredRows(rows))
    assert len(kept._new) + len(kept._old) < 100
