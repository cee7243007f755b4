"""Numbers of tasks that meet conditions, as the counts of the projects have them."""

import random
from datetime import UTC, datetime

import pytest
from bson import ObjectId

from taskmanager.core.storage.chunked_updates import update_each
from taskmanager.features.tasks.counts.models import TaskCounts
from taskmanager.features.tasks.counts.numbers import Numbers, add, counted
from taskmanager.features.tasks.counts.writing import updates
from taskmanager.features.tasks.filtering.frequency import frequencies
from taskmanager.features.tasks.models import Task, index_tags_of

PROJECTS, OTHER = [ObjectId() for _ in range(3)], ObjectId()
PEOPLE, LABELS = [ObjectId() for _ in range(2)], [ObjectId() for _ in range(3)]
STATUSES = [("open", "backlog"), ("doing", "active"), ("done", "done")]
MINE, OURS = {"marks": f"a:{PEOPLE[0]}"}, {"marks": {"$in": [f"l:{label}" for label in LABELS[:2]]}}


def task(chance, project_id):
    status, group = chance.choice(STATUSES)
    people, labels = chance.sample(PEOPLE, chance.randrange(3)), chance.sample(LABELS, chance.randrange(2))
    return {
        "_id": (task_id := ObjectId()),
        "key": f"T-{task_id}",
        "project_id": project_id,
        "assignee_ids": people,
        "label_ids": labels,
        "marks": index_tags_of(people, labels, []),
        "status": status,
        "status_group": group,
        "priority": chance.randrange(5),
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }


@pytest.fixture
def tasks(app):
    chance, numbers = random.Random(2), Numbers()
    rows = [task(chance, project_id) for project_id in (*PROJECTS, OTHER) for _ in range(60)]
    for row in rows:
        add(numbers, counted(row.get))
    update_each(TaskCounts._get_collection(), updates(numbers))
    Task._get_collection().insert_many(rows)
    return Task._get_collection()


@pytest.mark.parametrize(
    "condition",
    [
        MINE,
        OURS,
        {"marks": "a"},
        {"marks": {"$eq": "l"}},
        {"status": "doing"},
        {"status": {"$in": ["doing", "done"]}},
        {"status_group": {"$eq": "backlog"}},
        {"priority": {"$gte": 3}},
        {"priority": {"$gt": 1, "$lte": 3}},
        {"$or": [{"priority": 0}]},
    ],
    ids=range(10),
)
def test_one_condition_is_counted_exactly(tasks, condition):
    found = frequencies(condition, PROJECTS)
    expected = tasks.count_documents({"project_id": {"$in": PROJECTS}, **condition})
    assert found.total == 60 * len(PROJECTS)
    assert found.expected(condition) == pytest.approx(expected)


def test_conditions_are_taken_to_be_independent(tasks):
    both = {"$and": [MINE, {"status": "done"}]}
    found = frequencies(both, PROJECTS)
    assert found.expected(both) == pytest.approx(found.of("marks", MINE["marks"]) * found.of("status", "done") / 180)
    assert found.narrowest(both) == found.expected(MINE)


def test_no_more_tasks_than_there_are_meet_one_of_two_conditions(tasks):
    either = {"$or": [{"priority": {"$gte": 0}}, MINE]}
    assert frequencies(either, PROJECTS).expected(either) == 180


def test_an_alternative_that_is_not_counted_adds_nothing(tasks):
    either = {"$or": [MINE, {"marks": f"w:{PEOPLE[0]}"}]}
    found = frequencies(either, PROJECTS)
    assert found.narrowest(either) == found.expected(either) == found.expected(MINE) > 0


@pytest.mark.parametrize(
    "condition",
    [
        {"marks": f"w:{PEOPLE[0]}"},
        {"marks": {"$ne": f"a:{PEOPLE[0]}"}},
        {"reporter_id": PEOPLE[0]},
        {"$or": [{"reporter_id": PEOPLE[0]}, {"due_at": None}]},
        {"status": {"$nin": ["done"]}},
    ],
    ids=["watcher", "not a person", "reporter", "of two", "not a status"],
)
def test_what_is_not_counted_is_not_known(tasks, condition):
    assert frequencies({"$and": [{"status": "open"}, condition]}, PROJECTS) is None


def test_nothing_is_known_of_projects_without_counts(tasks):
    assert frequencies(MINE, [ObjectId()]) is None
