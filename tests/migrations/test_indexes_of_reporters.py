"""Indexes of the reporter, the start and the estimate have every task, whichever release stores it, and when."""

from datetime import UTC, datetime, timedelta

import pymongo
import pytest
from bson import ObjectId

from migrations import runner
from migrations.scripts import m202611290100_indexes_of_reporters as migration

REPORTER, PROJECT = ObjectId(), ObjectId()
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
SORTS = {
    "reporter_created_at": [("created_at", 1), ("_id", 1)],
    "reporter_updated_at": [("updated_at", -1), ("_id", -1)],
    "reporter_due_at": [("due_at", 1), ("_id", 1)],
    "reporter_priority_due_at": [("priority", -1), ("due_at", -1), ("_id", -1)],
}


def stored(number):
    """A task as the release before stores it, with the values that lists are sorted by in different orders."""
    at = [BEGIN + timedelta(hours=number * step % 31) for step in (3, 5, 7)]
    return {
        "_id": ObjectId(),
        "project_id": PROJECT,
        "key": f"T-{number}",
        "reporter_id": REPORTER if number % 2 else ObjectId(),
        "marks": ["a", "l"],
        "priority": number % 5,
        "created_at": at[0],
        "updated_at": at[1],
    } | ({"due_at": at[2], "start_at": at[2], "estimate_minutes": number} if number % 3 else {})


@pytest.fixture
def tasks(empty):
    """Tasks of before the migration, and of the release before that went on beside this one: new and changed ones."""
    runner.run(empty)
    for index in migration.INDEXES:
        empty["tasks"].drop_index(index.document["name"])
    empty["tasks"].insert_many([stored(number) for number in range(30)])
    for _ in range(2):
        migration.upgrade(empty)
    empty["tasks"].insert_many([stored(number) for number in range(30, 60)])
    empty["tasks"].update_many({"priority": 2}, {"$set": {"marks": [f"a:{ObjectId()}", "l"]}})
    return empty["tasks"]


@pytest.mark.parametrize("name", SORTS)
def test_every_task_that_a_person_reported_is_read_in_the_order(tasks, name):
    mine = {"reporter_id": REPORTER, "deleted_at": None}
    query = tasks.find(mine).sort(SORTS[name]).hint(name)
    plan = query.explain()["queryPlanner"]["winningPlan"]
    assert "SORT" not in str(plan)
    every = [row for row in tasks.find() if row["reporter_id"] == REPORTER]
    assert len(every) == 30
    for field, direction in reversed(SORTS[name]):
        every.sort(key=lambda row, field=field: (field in row, row.get(field)), reverse=direction < 0)
    assert [row["_id"] for row in query] == [row["_id"] for row in every]


@pytest.mark.parametrize(("name", "least"), [("start_at", BEGIN), ("estimate_minutes", 0)])
def test_every_task_with_a_start_or_an_estimate_is_in_its_index(tasks, name, least):
    query = {"project_id": PROJECT, "deleted_at": None, name: {"$gte": least}}
    found = tasks.find(query).hint(name)
    assert found.explain()["executionStats"]["totalKeysExamined"] == 40
    assert {row["_id"] for row in found} == {row["_id"] for row in tasks.find() if name in row}


def test_the_release_before_goes_on(empty):
    runner.run(empty)
    name = migration.__name__.rpartition(".")[2]
    empty["migrations"].delete_one({"_id": name})
    assert runner.unshared(empty) == []
    with pymongo.timeout(60):
        assert runner.run(empty, expand=True) == [name]
