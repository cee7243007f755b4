"""What an account with very many projects asks: queries do not grow without bound, and find the same."""

import pytest
from bson import ObjectId

from taskmanager.core.storage import querysets
from taskmanager.core.storage.querysets import MAX_BRANCHES, Order
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


@pytest.mark.parametrize("sort", ["due_at", "-updated_at", "priority,due_at", "created_at"])
def test_lists_are_the_same_beyond_the_bound(scene, monkeypatch, sort):
    for number in range(4):
        project = ProjectFactory(owner=scene.owner.user)
        Task.objects.insert([task_row(project.id, priority=number % 3) for _ in range(3)], load_bulk=False)
    whole = pages(scene.owner, "/api/v1/tasks", sort=sort, limit=2)
    assert len(whole) == 13
    monkeypatch.setattr(querysets, "MAX_BRANCHES", 2)
    assert pages(scene.owner, "/api/v1/tasks", sort=sort, limit=2) == whole
    assert pages(scene.owner, "/api/v1/tasks", sort=sort, limit=2, filter="status = open or priority = low") == whole
