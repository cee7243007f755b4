"""A seeded task is what the API would have stored: every row of a small plan is made again by requests."""

from datetime import datetime

import pytest
from bson import ObjectId

from taskmanager.core.storage import database
from taskmanager.features.tasks.models import PRIORITIES
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import Plan
from tests.bench.seeding.seed import seed
from tests.scene import patch

PLAN = Plan(400, owners=12)
PROJECT = 10
# What depends on the time, or on how many tasks were there before.
OF_ITS_OWN = (
    "_id",
    "key",
    "key_order",
    "position",
    "created_at",
    "updated_at",
    "started_at",
    "completed_at",
    "closed_at",
)


@pytest.fixture
def again(app):
    """The rows of a project: {as seeded: as stored when the same task is made by requests}."""
    seed(database.database(), PLAN)
    clients, made, tasks = {}, {}, database.database()["tasks"]
    for row in tasks.find({"project_id": plans.project_id(PROJECT)}).sort("_id"):
        reporter = row["reporter_id"]
        client = clients.setdefault(reporter, None) or sign_in(app, User.objects.get(id=reporter))
        clients[reporter] = client
        made[row["_id"]] = request(client, row, made)
    found = {row["_id"]: row for row in tasks.find()}
    return [(found[seeded], found[ObjectId(new)]) for seeded, new in made.items()]


def request(client, row, made):
    """Make a task as this one; return its id."""
    body = {name: row[name] for name in ("title", "description", "due", "estimate_minutes") if name in row}
    body |= {name: [str(value) for value in row[name]] for name in ("label_ids", "assignee_ids")}
    body |= {"priority": PRIORITIES[row["priority"]], "custom_fields": row["custom_fields"]}
    if "start_at" in row:
        body["start_at"] = row["start_at"].isoformat()
    if "parent_id" in row:
        body["parent_id"] = made[row["parent_id"]]
    answer = client.post(f"/api/v1/projects/{plans.project_id(PROJECT)}/tasks", json=body)
    assert answer.status_code == 201, answer.text
    path = f"/api/v1/tasks/{answer.json['id']}"
    for status in ("in_progress",) * ("started_at" in row) + (row["status"],) * (row["status"] != "open"):
        assert patch(client, path, {"status": status}).status_code == 200
    for user_id in row["watcher_ids"]:
        assert client.put(f"{path}/watchers/{user_id}").status_code < 300
    return answer.json["id"]


def comparable(row, made):
    """The row with the types of what differs, and `same` for the parent."""
    found = {name: type(value).__name__ if name in OF_ITS_OWN else value for name, value in row.items()}
    found["revision"] = type(row["revision"]).__name__
    if "parent_id" in row:
        found["parent_id"] = made.get(row["parent_id"], row["parent_id"])
    return found


def test_a_seeded_task_equals_one_that_was_made_by_requests(again):
    ids = {seeded["_id"]: new["_id"] for seeded, new in again}
    for seeded, new in again:
        assert comparable(seeded, ids) == comparable(new, {})


def test_the_sample_has_every_field_that_seeded_tasks_have(again):
    every = set().union(*database.database()["tasks"].find())
    assert set().union(*(seeded for seeded, _ in again)) == every


def test_the_plan_is_kept(app):
    seed(database.database(), PLAN)
    tasks, busy = database.database()["tasks"], PLAN.person("busy-10")
    assert tasks.count_documents({}) == PLAN.tasks
    assert tasks.count_documents({"project_id": plans.project_id(0)}) == PLAN.size_of(0) == 19
    assert tasks.count_documents({"assignee_ids": PLAN.person("sparse-10").id}) == plans.SPARSE
    assert tasks.count_documents({"assignee_ids": busy.id, "project_id": {"$gt": plans.project_id(10)}}) == 0
    assert tasks.distinct("created_at", {"created_at": {"$gt": datetime(9999, 1, 1)}}) == []
    assert {index["name"] for index in tasks.list_indexes()} > {"_id_", "project_id_key"}
