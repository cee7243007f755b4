"""A slow command is logged with its shape and its plan, and none of its values."""

import json

import pytest
from structlog.testing import capture_logs

from taskmanager.core.configuration import settings as in_use
from taskmanager.core.storage import database
from taskmanager.core.telemetry import plans, timings
from tests.faults.stack import eventually

CANARY = "canary7f3a9b2c"


@pytest.fixture
def slow(app, settings, monkeypatch):
    """All commands are slow, and each may be logged and explained."""
    in_use.use(settings.model_copy(update={"slow_query_ms": 1}))
    monkeypatch.setattr(plans, "_INTERVAL_SECONDS", 0.0)
    monkeypatch.setattr(timings, "_SLOW_LOG_SECONDS", 0.0)
    monkeypatch.setattr(plans._Explaining, "next_at", 0.0)
    monkeypatch.setattr(timings._SlowLog, "next_at", 0.0)
    yield
    in_use.use(settings)


SLEEP = {"$where": "sleep(5) || true"}
SLOW = {"$expr": {"$function": {"body": "function() { sleep(5); return true }", "args": [], "lang": "js"}}}
QUERY = {"title": {"$ne": CANARY}, "text_tokens": {"$nin": [CANARY]}}
COMMANDS = [
    lambda tasks: list(tasks.find(QUERY | SLEEP).sort("_id", 1)),
    lambda tasks: list(tasks.aggregate([{"$match": {"title": {"$ne": CANARY}} | SLOW}, {"$group": {"_id": "$title"}}])),
    lambda tasks: tasks.update_many({"title": {"$ne": CANARY}} | SLEEP, {"$set": {"checked": CANARY}}),
    lambda tasks: tasks.delete_many({"title": {"$ne": CANARY}} | SLEEP),
    lambda tasks: tasks.find_one_and_update({"title": {"$ne": CANARY}} | SLEEP, {"$set": {"checked": CANARY}}),
    lambda tasks: tasks.distinct("title", {"title": {"$ne": CANARY}} | SLEEP),
]


@pytest.mark.parametrize("run", COMMANDS)
def test_a_slow_command_has_its_plan(slow, run):
    tasks = database.database()["plans_test"]
    tasks.insert_many([{"title": "a"} for _ in range(3)])
    with capture_logs() as lines:
        run(tasks)
        first = next(line for line in lines if line.get("collection") == "plans_test")
        assert first["event"] == "slow query" and first["duration_ms"] > 1  # at once: a process may end now
        eventually(lambda: any(line.get("plan") for line in lines), "the plan")
    line = next(line for line in lines if line.get("plan"))
    assert line["collection"] == "plans_test"
    assert line["event"] == "plan of a slow query"
    assert CANARY not in line["plan"]
    assert any(stage in line["plan"] for stage in ("COLLSCAN", "IXSCAN", "FETCH"))
    assert CANARY not in json.dumps(lines, default=str)
    tasks.drop()


def test_indexes_are_named_and_bounds_are_not():
    inner = {"stage": "IXSCAN", "indexName": "order_due_at", "indexBounds": {"title": [CANARY]}}
    cursor = {"queryPlanner": {"winningPlan": {"queryPlan": {"stage": "FETCH", "inputStage": inner}}}}
    found = plans._stages({"stages": [{"$cursor": cursor}, {"$group": {}}]})
    assert found == ["group", "FETCH", "IXSCAN order_due_at"]


def test_a_command_without_a_plan_is_logged_at_once():
    assert not plans.explain("insert", "a", {"insert": "b", "documents": []}, lambda plan: None)
