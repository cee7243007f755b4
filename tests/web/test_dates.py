"""Dates outside of the years 1900 to 2200 are refused wherever the document says that a date is taken, and in text.

What is found in the OpenAPI document is tried; what is a date only inside of other text is in a table.
"""

from datetime import UTC, datetime

import orjson
import pytest

from taskmanager.core.storage.database import database
from taskmanager.features.tasks.models import Task
from taskmanager.features.users import service as users
from taskmanager.features.users.models import User
from taskmanager.features.webhooks.models import Webhook
from taskmanager.testing.factories import TaskFactory
from tests.features.matrix import TABLE
from tests.features.test_matrix import Places
from tests.problems import assert_problem
from tests.scene import patch

FAR = ("0001-01-01", "1899-12-31", "2201-01-01", "9999-12-31")
NEAR = ("1900-01-01", "1969-12-31", "2106-02-08", "2200-12-31")
TIME = "T23:59:59Z"


def dates_of(document):
    """(route, where, name) of each date that a client may send."""
    for path, item in document["paths"].items():
        rule = path.replace("{", "<").replace("}", ">")
        for method, operation in item.items():
            if method in ("get", "post", "put", "patch", "delete"):
                yield from _of_operation(document, f"{method.upper()} {rule}", operation)


def _of_operation(document, route, operation):
    for parameter in operation.get("parameters", []):
        parameter = resolved(document, parameter)
        if parameter["in"] == "query" and is_date(parameter["schema"]):
            yield route, "query", parameter["name"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for variant in variants(document, content["schema"]):
            for name, schema in variant.get("properties", {}).items():
                if is_date(resolved(document, schema)):
                    yield route, "body", name


def variants(document, schema):
    """The schema of a body, and those that it may be one of."""
    schema = resolved(document, schema)
    return [schema, *(resolved(document, one) for one in schema.get("oneOf", ()))]


def resolved(document, schema):
    reference = schema.get("$ref")
    if not reference:
        return schema
    for part in reference.removeprefix("#/").split("/"):
        document = document[part]
    return document


def is_date(schema):
    return schema.get("format") in ("date", "date-time") or "(?:19|20|21)" in schema.get("pattern", "")


def test_dates_of_far_years_are_refused_wherever_the_document_takes_one(app, scene):
    User.objects(id=scene.owner.user.id).update(set__role="admin")
    users.raise_access_versions([scene.owner.user.id])
    document = orjson.loads(app.test_client().get("/api/v1/openapi.json").data)
    found = sorted(set(dates_of(document)))
    names = {f"{where} {name}" for _, where, name in found}
    wanted = ("query since", "query until", "body due", "body start_at", "body at", "body expires_at")
    assert names >= set(wanted), names
    wrong = []
    for route, where, name in found:
        scene.owner.delete("/api/v1/maintenance")  # its end is a date, too
        for day in (*FAR, *NEAR):
            status = send(scene, route, where, name, day + TIME)
            if status >= 500 or (day in FAR and status != 422):
                wrong.append((route, where, name, day, status))
    assert not wrong


def send(scene, name, where, field, value):
    route, places = TABLE[name], Places(scene)
    method, rule = name.split(" ", 1)
    path = (route.path or rule).format_map(places)
    body = route.body
    if body is not None:
        body = {key: str(part).format_map(places) if isinstance(part, str) else part for key, part in body.items()}
    if where == "body":
        body = (body or {}) | {field: value}
        if field == "at" and "relative_to" in body:
            body = {"at": value}
    query = {field: value} if where == "query" else None
    extra = {"json": body} if body is not None else {}
    return scene.owner.open(path, method=method, query_string=query, headers=route.headers, **extra).status_code


@pytest.mark.parametrize("day", FAR)
def test_dates_of_far_years_are_refused_inside_of_text(scene, day):
    scene.owner.post(f"{scene.project_path}/custom-fields", json={"key": "when", "name": "When", "type": "date"})
    compact = day.replace("-", "")
    for body in (
        {"title": "x", "custom_fields": {"when": day}},
        {"title": "x", "due": "2027-01-01", "recurrence": f"FREQ=DAILY;UNTIL={compact}"},
        {"title": "x", "due": "2027-01-01", "recurrence": f"FREQ=DAILY;UNTIL={compact}T090000Z"},
    ):
        assert_problem(scene.owner.post(scene.tasks_path, json=body), 422)
    condition = f"due_at < {day}"
    for path in ("/api/v1/tasks", scene.tasks_path, "/api/v1/tasks/stats", "/api/v1/tasks/facets"):
        assert_problem(scene.owner.get(path, query_string={"filter": condition}), 422)
    assert_problem(scene.owner.post("/api/v1/views", json={"name": "x", "filter": condition}), 422)
    hook = {"url": "https://8.8.8.8/hook", "events": ["*"], "filter": condition}
    assert_problem(scene.owner.post("/api/v1/webhooks", json=hook), 422)
    operation = {"op": "delete", "project_id": str(scene.project.id), "filter": condition}
    assert_problem(scene.owner.post("/api/v1/tasks/bulk", json={"operations": [operation]}), 422)
    made = scene.owner.post("/api/v1/tasks/quick", json={"text": f"Call on {day}"}).json
    assert (made["task"]["title"], made["task"]["due"]) == (f"Call on {day}", None)


@pytest.mark.parametrize(
    ("since", "until", "found"),
    [("1969-12-31", "2200-12-31", True), ("1900-01-01", "1970-01-01", False), ("2106-02-08", "2200-12-31", False)],
)
def test_ones_own_events_are_found_by_any_date_of_these_years(scene, since, until, found):
    patch(scene.owner, "/api/v1/users/me", {"name": "Renamed"})
    query = {"since": since + TIME, "until": until + TIME}
    answer = scene.owner.get("/api/v1/users/me/events", query_string=query)
    assert (answer.status_code, bool(answer.json["items"])) == (200, found)


def test_a_series_ends_with_the_last_year(scene):
    made = scene.owner.post(scene.tasks_path, json={"title": "x", "due": "2200-11-30", "recurrence": "FREQ=MONTHLY"})
    done = scene.owner.put(f"/api/v1/tasks/{made.json['id']}/completion", headers={"If-Match": "*"}).json
    last = scene.owner.get(f"/api/v1/tasks/{done['next_task_id']}").json
    assert last["due"] == "2200-12-30"
    assert scene.owner.get(f"/api/v1/tasks/{last['id']}/occurrences").json == {"items": []}
    done = scene.owner.put(f"/api/v1/tasks/{last['id']}/completion", headers={"If-Match": "*"})
    assert (done.status_code, done.json["next_task_id"]) == (200, None)


def test_what_was_stored_by_earlier_releases_is_read_and_carried_on(scene):
    task = TaskFactory(project=scene.project)
    stored = {"due": "9999-12-30", "due_floating": True, "recurrence": "FREQ=DAILY;UNTIL=99991231T235959"}
    stored |= {"due_at": datetime(9999, 12, 30, 23, 59, 59, tzinfo=UTC), "start_at": datetime(2, 1, 1, tzinfo=UTC)}
    Task._get_collection().update_one({"_id": task.id}, {"$set": stored})
    path = f"/api/v1/tasks/{task.id}"
    reminder = {"relative_to": "due", "minutes_before": -500_000}
    assert scene.owner.post(f"{path}/reminders", json=reminder).json["fire_at"] is None
    for place in (path, "/api/v1/tasks?sort=-due_at", f"{path}/occurrences", "/api/v1/tasks/stats"):
        assert scene.owner.get(place).status_code == 200, place
    assert scene.owner.get("/api/v1/tasks?sort=-due_at&limit=1&with_total=true").json["items"][0]["due"] == "9999-12-30"
    assert patch(scene.owner, path, {"title": "Renamed"}).status_code == 200
    assert patch(scene.owner, path, {"recurs_from": "completion"}).status_code == 200
    assert scene.owner.put(f"{path}/completion", headers={"If-Match": "*"}).status_code == 200


def test_filters_that_were_saved_with_other_dates_are_understood(scene):
    from migrations.scripts import m202611270002_dates_of_filters as migration

    view = scene.owner.post("/api/v1/views", json={"name": "x", "filter": "due_at < 2100-01-01"}).json["id"]
    hook = {"url": "https://8.8.8.8/hook", "events": ["*"], "filter": "due_at > 2000-01-01"}
    webhook = scene.owner.post("/api/v1/webhooks", json=hook).json["id"]
    database()["views"].update_one({}, {"$set": {"filter": "due_at < 9999-12-30-1d or due_at = 2026-12-01"}})
    Webhook.objects.update(set__filter="due_at > 0100-01-01T09:00Z")
    migration.upgrade(database())
    migration.upgrade(database())
    stored = scene.owner.get(f"/api/v1/views/{view}").json["filter"]
    assert stored == "due_at < 2200-12-31-1d or due_at = 2026-12-01"
    assert scene.owner.get(f"/api/v1/views/{view}/tasks").status_code == 200
    assert scene.owner.get(f"/api/v1/webhooks/{webhook}").json["filter"] == "due_at > 1900-01-01T09:00Z"
