"""Eve on the same documents; statistics are a route beside it, because Eve has none."""

import json
import os
from pathlib import Path

import jwt
import orjson
from bson import ObjectId
from eve import Eve
from eve.auth import TokenAuth
from flask import Response, g, request

PIPELINES = json.loads(Path(__file__).with_name("pipelines.json").read_text())
SECRET = os.environ["BENCH_SECRET"]
TEXT, NUMBER, MOMENT, ID = ({"type": kind, "nullable": True} for kind in ("string", "integer", "datetime", "objectid"))
IDS = {"type": "list", "schema": {"type": "objectid"}}
TASK = {
    **dict.fromkeys(
        ("key", "title", "description", "status", "status_group", "due", "due_timezone", "recurrence"), TEXT
    ),
    **dict.fromkeys(("recurs_from", "position"), TEXT),
    **dict.fromkeys(("priority", "estimate_minutes", "revision"), NUMBER),
    **dict.fromkeys(("project_id", "reporter_id", "parent_id", "series_id", "next_task_id"), ID),
    **dict.fromkeys(("start_at", "due_at", "started_at", "completed_at", "deleted_at"), MOMENT),
    **dict.fromkeys(("label_ids", "assignee_ids", "watcher_ids"), IDS),
    "progress": {"type": "dict", "allow_unknown": True},
    "custom_fields": {"type": "dict", "allow_unknown": True},
    "marks": {"type": "list"},
}
SETTINGS = {
    "MONGO_URI": os.environ["BENCH_MONGODB"],
    "URL_PREFIX": "api",
    "API_VERSION": "v1",
    "DOMAIN": {
        "tasks": {
            "schema": TASK,
            "resource_methods": ["GET", "POST"],
            "item_methods": ["GET", "PATCH"],
        }
    },
    "LAST_UPDATED": "updated_at",
    "DATE_CREATED": "created_at",
    "DATE_FORMAT": "%Y-%m-%dT%H:%M:%S.%fZ",
    "HATEOAS": False,
    "IF_MATCH": True,
    "ENFORCE_IF_MATCH": False,
    "PAGINATION_DEFAULT": 50,
    "PAGINATION_LIMIT": 200,
    "OPTIMIZE_PAGINATION_FOR_SPEED": True,
    "SORTING": True,
    "BULK_ENABLED": False,
    "RENDERERS": ["eve.render.JSONRenderer"],
    "MONGO_QUERY_BLACKLIST": ["$where", "$regex"],
}


class Auth(TokenAuth):
    def check_auth(self, token, allowed_roles, resource, method):
        g.user = ObjectId(jwt.decode(token, SECRET, algorithms=["HS256"])["sub"])
        return True


app = Eve(settings=SETTINGS, auth=Auth)


def numbered(items):
    for item in items:
        project = app.data.driver.db["projects"].find_one_and_update(
            {"_id": item["project_id"]}, {"$inc": {"last_number": 1}}, return_document=True
        )
        item |= {"key": f"{project['key']}-{project['last_number']}", "reporter_id": g.user, "revision": 1}
        item |= {"status": "open", "status_group": "backlog"}


def revised(updates, original):
    updates["revision"] = original["revision"] + 1


app.on_insert_tasks += numbered
app.on_update_tasks += revised


def figures(project, name):
    token = request.headers["Authorization"].removeprefix("Bearer ")
    jwt.decode(token, SECRET, algorithms=["HS256"])
    query = {"project_id": ObjectId(project), "deleted_at": None}
    found = next(app.data.driver.db["tasks"].aggregate([{"$match": query}, {"$facet": PIPELINES[name]}]))
    return Response(orjson.dumps(found, default=str), content_type="application/json")


@app.get("/api/v1/projects/<project>/stats")
def stats(project):
    return figures(project, "stats")


@app.get("/api/v1/projects/<project>/facets")
def facets(project):
    return figures(project, "facets")
