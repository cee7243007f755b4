"""The limit: bare Flask, PyMongo and orjson on our documents and indexes; writes in the same transaction as ours.

It checks the token, does the work, and nothing else: no rights, no rate limit, no validation, no log.
"""

import json
import os
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path

import jwt
import orjson
from bson import ObjectId
from flask import Flask, Response, request
from pymongo import MongoClient, ReturnDocument
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.core import fractional
from taskmanager.core.search_tokens import description_tokens_of, tokens_of
from taskmanager.core.storage.orders import natural_key

PRIORITIES = ("none", "low", "medium", "high", "urgent")
FIELDS = (
    *("key", "project_id", "title", "description", "status", "status_group", "priority", "label_ids", "assignee_ids"),
    *("watcher_ids", "reporter_id", "parent_id", "progress", "start_at", "due", "due_at", "estimate_minutes"),
    *("due_timezone", "recurrence", "recurs_from", "series_id", "next_task_id", "position", "custom_fields"),
    *("started_at", "completed_at", "revision", "created_at", "updated_at", "deleted_at"),
)
PIPELINES = json.loads(Path(__file__).with_name("pipelines.json").read_text())
SECRET = os.environ["BENCH_SECRET"]
OPTIONS = orjson.OPT_NAIVE_UTC | orjson.OPT_UTC_Z

app = Flask(__name__)
client = MongoClient(os.environ["BENCH_MONGODB"], readConcernLevel="majority", connect=False)
database = client.get_default_database()
tasks = database["tasks"]
projects_of: dict[ObjectId, list[ObjectId]] = {}


def caller():
    token = request.headers["Authorization"].removeprefix("Bearer ")
    return ObjectId(jwt.decode(token, SECRET, algorithms=["HS256"])["sub"])


def shown(row):
    item = {"id": row["_id"]}
    for field in FIELDS:
        item[field] = row.get(field)
    item["priority"] = PRIORITIES[row["priority"]]
    return item


def answer(value, etag=None, status=200):
    body = orjson.dumps(value, default=str, option=OPTIONS)
    etag = etag or blake2b(body, digest_size=16).hexdigest()
    if request.headers.get("If-None-Match") == f'"{etag}"':
        return Response(status=304, headers={"ETag": f'"{etag}"'})
    return Response(body, status, {"ETag": f'"{etag}"'}, content_type="application/json")


def page(query, field, direction):
    sort = [(field, direction), ("_id", direction)]
    rows = list(tasks.find(query, dict.fromkeys(FIELDS, 1), sort=sort, limit=51, batch_size=51))
    return answer({"items": [shown(row) for row in rows[:50]], "more": len(rows) > 50})


@app.get("/api/v1/projects/<project>/tasks")
def list_project(project):
    caller()
    query = {"project_id": ObjectId(project), "deleted_at": None}
    if "after_id" in request.args:
        at, last = datetime.fromtimestamp(float(request.args["after_at"]), UTC), ObjectId(request.args["after_id"])
        query = {"$or": [query | {"updated_at": at, "_id": {"$lt": last}}, query | {"updated_at": {"$lt": at}}]}
    return page(query, "updated_at", -1)


@app.get("/api/v1/tasks")
def list_mine():
    me = caller()
    if me not in projects_of:
        projects_of[me] = database["memberships"].distinct("project_id", {"user_id": me})
    query = {"project_id": {"$in": projects_of[me]}, "deleted_at": None, "marks": f"a:{me}"}
    return page(query, "created_at", 1)


@app.get("/api/v1/tasks/<task>")
def get(task):
    caller()
    row = tasks.find_one({"_id": ObjectId(task), "deleted_at": None}, dict.fromkeys(FIELDS, 1))
    return answer(shown(row), etag=str(row["revision"]))


def figures(project, name):
    caller()
    query = {"project_id": ObjectId(project), "deleted_at": None}
    return next(tasks.aggregate([{"$match": query}, {"$facet": PIPELINES[name]}]))


@app.get("/api/v1/projects/<project>/stats")
def stats(project):
    found = figures(project, "stats")
    return answer({"total": sum(row["count"] for row in found["by_status"]), **found})


@app.get("/api/v1/projects/<project>/facets")
def facets(project):
    return answer(figures(project, "facets"))


def transact(work):
    with client.start_session() as session:
        return session.with_transaction(work, ReadConcern("snapshot"), WriteConcern("majority"))


def record(session, kind, me, task, changes, moment):
    stream = f"project:{task['project_id']}"
    counter = database["counters"].find_one_and_update(
        {"_id": stream},
        {"$inc": {"seq": 1}, "$max": {"at": moment}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
        session=session,
    )
    event = {"_id": ObjectId(), "kind": kind, "stream": stream, "actor_id": me, "subject_id": task["_id"]}
    event |= {"data": {"revision": task["revision"], "changes": changes}, "correlation": {"request_id": "x" * 32}}
    event |= {"pending": ["notifications.tell", "webhooks.tell"], "attempts": 0, "seq": counter["seq"]}
    database["events"].insert_one(event | {"at": counter["at"], "due_at": counter["at"]}, session=session)


@app.post("/api/v1/projects/<project>/tasks")
def post(project):
    me, body, project_id = caller(), orjson.loads(request.get_data()), ObjectId(project)
    moment = datetime.now(UTC)

    def work(session):
        counters = database["projects"].find_one_and_update(
            {"_id": project_id},
            {"$inc": {"last_number": 1, "last_position": 1, "task_count": 1}, "$max": {"last_created_at": moment}},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        key = f"{counters['key']}-{counters['last_number']}"
        assignees, labels = ([ObjectId(each) for each in body.get(name, ())] for name in ("assignee_ids", "label_ids"))
        marks = [f"a:{user}" for user in assignees] or ["a"]
        row = {"_id": ObjectId(), "revision": 1, "created_at": moment, "updated_at": moment, "project_id": project_id}
        row |= {"key": key, "key_order": natural_key(key), "title": body["title"], "status": "open"}
        row |= {"status_group": "backlog", "priority": PRIORITIES.index(body["priority"]), "label_ids": labels}
        row |= {"assignee_ids": assignees, "watcher_ids": [], "reporter_id": me, "progress": {}, "custom_fields": {}}
        row |= {"position": fractional.at(counters["last_position"]), "words": tokens_of(body["title"])}
        row |= {"marks": marks + ([f"l:{label}" for label in labels] or ["l"]), "former_keys": []}
        row |= {"description": body["description"], "description_tokens": description_tokens_of(body["description"])}
        tasks.insert_one(row, session=session)
        record(session, "task.created", me, row, {"assignee_ids": [[], assignees]}, moment)
        return row

    return answer(shown(transact(work)), status=201)


@app.patch("/api/v1/tasks/<task>")
def patch(task):
    me, body, moment = caller(), orjson.loads(request.get_data()), datetime.now(UTC)
    changes = {"title": body["title"], "words": tokens_of(body["title"]), "updated_at": moment}
    changes["priority"] = PRIORITIES.index(body["priority"])

    def work(session):
        before = tasks.find_one({"_id": ObjectId(task), "deleted_at": None}, session=session)
        row = tasks.find_one_and_update(
            {"_id": before["_id"], "revision": before["revision"]},
            {"$set": changes, "$inc": {"revision": 1}},
            return_document=ReturnDocument.AFTER,
            session=session,
        )
        record(session, "task.updated", me, row, {"title": [before["title"], row["title"]]}, moment)
        return row

    row = transact(work)
    return answer(shown(row), etag=str(row["revision"]))
