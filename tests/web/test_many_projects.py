"""What an account with very many projects asks: queries do not grow without bound, and find the same."""

import pytest
from bson import ObjectId

from taskmanager.core.storage import parts
from taskmanager.core.storage.orders import MAX_BRANCHES, Order
from taskmanager.features.tasks import listing
from taskmanager.features.tasks.filtering import pages as filtered_pages
from taskmanager.features.tasks.models import Task
from taskmanager.testing.factories import ProjectFactory, task_row
from tests.web.test_pagination import pages


def branches(query):
    """How many parts a query has that are planned by themselves."""
    return len(query.get("$or", [query]))


@pytest.mark.parametrize("number", [10, 1_000, 5_000])
@pytest.mark.parametrize("order", [Order.by("-updated_at"), Order.by("due_at", "priority")])
def test_branches_are_bounded(order, number):
    query = {"deleted_at": None, "project_id": {"$in": [ObjectId() for _ in range(number)]}}
    key = [None, 1, ObjectId()][-len(order.spec()) :]
    assert branches(order.begin(query)) <= MAX_BRANCHES
    assert branches(order.within(query, key)) <= MAX_BRANCHES


@pytest.mark.parametrize("sort", ["due_at", "-updated_at", "priority,due_at", "created_at", "-title"])
def test_lists_in_parts_are_the_same(scene, monkeypatch, sort):
    for number in range(4):
        project = ProjectFactory(owner=scene.owner.user)
        Task.objects.insert([task_row(project.id, priority=number % 3) for _ in range(3)], load_bulk=False)
    filters = (None, "status = open or priority = low", "assignee is null", "title ~ a or status = open")
    asked = [{"sort": sort, "limit": 2} | ({"filter": text} if text else {}) for text in filters]
    whole = [pages(scene.owner, "/api/v1/tasks", **query) for query in asked]
    assert [len(found) for found in whole] == [13, 13, 13, 13]
    monkeypatch.setattr(filtered_pages, "MAX_MERGED", 2)
    monkeypatch.setattr(filtered_pages, "MAX_BRANCHES", 2)
    monkeypatch.setattr(parts.scoped, "__defaults__", (2,))
    assert [pages(scene.owner, "/api/v1/tasks", **query) for query in asked] == whole


@pytest.mark.parametrize("merged", [2, 200])
@pytest.mark.parametrize("sort", ["due_at", "-created_at", "title"])
def test_a_filter_that_reads_too_much_is_answered_in_parts(scene, monkeypatch, sort, merged):
    """A page that cannot be whole in time has what was found so far, says so, and the next one goes on."""
    for number in range(4):
        project = ProjectFactory(owner=scene.owner.user)
        rows = [task_row(project.id, title="rare" if number == 2 and row % 3 else "common") for row in range(6)]
        Task.objects.insert(rows, load_bulk=False)
    query = {"filter": "title ~ rare", "sort": sort, "limit": 3}
    whole = pages(scene.owner, "/api/v1/tasks", **query)
    assert len(whole) == 4
    monkeypatch.setattr(filtered_pages, "WHOLE_SECONDS", 1e-9)
    monkeypatch.setattr(filtered_pages, "MAX_COMPARED", 8)
    monkeypatch.setattr(filtered_pages, "MAX_MERGED", merged)
    monkeypatch.setattr(parts.scoped, "__defaults__", (merged,))
    first = scene.owner.get("/api/v1/tasks", query_string=query).json
    assert first["partial"] is True
    assert pages(scene.owner, "/api/v1/tasks", **query) == whole


def test_a_total_that_takes_too_long_is_a_lower_bound(scene, monkeypatch):
    Task.objects.insert([task_row(scene.project.id, title="rare") for _ in range(9)], load_bulk=False)
    query = {"filter": "title ~ rare", "with_total": "true"}
    monkeypatch.setattr(listing, "WHOLE_SECONDS", 60)
    assert scene.owner.get(scene.tasks_path, query_string=query).json["total"] == 9
    monkeypatch.setattr(listing, "WHOLE_SECONDS", 1e-9)
    monkeypatch.setattr(listing, "MAX_COMPARED", 5)
    total = scene.owner.get(scene.tasks_path, query_string=query).json["total"]
    assert total["relation"] == "gte"
    assert 4 <= total["value"] <= 5
