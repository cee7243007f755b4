"""FastAPI and Beanie, as their tutorials show them."""

import json
import os
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any

import jwt
import orjson
from beanie import Document, PydanticObjectId, init_beanie
from bson import ObjectId
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from pydantic import BaseModel, Field
from pymongo import AsyncMongoClient, ReturnDocument
from redis.asyncio import Redis

PRIORITIES = ("none", "low", "medium", "high", "urgent")
PIPELINES = json.loads(Path(__file__).with_name("pipelines.json").read_text())
SECRET = os.environ["BENCH_SECRET"]
ALIKE = "BENCH_ALIKE" in os.environ  # look the user up and count the request, as ours does
MAX_REQUESTS = 100_000_000  # of a user in a minute


class Fields(BaseModel):
    key: str
    project_id: PydanticObjectId
    title: str = Field(max_length=500)
    description: str | None = None
    status: str = "open"
    status_group: str = "backlog"
    label_ids: list[PydanticObjectId] = []
    assignee_ids: list[PydanticObjectId] = []
    watcher_ids: list[PydanticObjectId] = []
    reporter_id: PydanticObjectId
    parent_id: PydanticObjectId | None = None
    progress: dict[str, Any] = {}
    start_at: datetime | None = None
    due: str | None = None
    due_at: datetime | None = None
    estimate_minutes: int | None = None
    due_timezone: str | None = None
    recurrence: str | None = None
    recurs_from: str | None = None
    series_id: PydanticObjectId | None = None
    next_task_id: PydanticObjectId | None = None
    position: str = ""
    custom_fields: dict[str, Any] = {}
    started_at: datetime | None = None
    completed_at: datetime | None = None
    revision: int = 1
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


class Task(Document, Fields):
    priority: int = 0

    class Settings:
        name = "tasks"
        keep_nulls = False


class User(Document):
    email: str
    name: str
    role: str
    access_version: int
    disabled_at: datetime | None = None

    class Settings:
        name = "users"


class TaskOut(Fields):
    id: PydanticObjectId
    priority: str


class Page(BaseModel):
    items: list[TaskOut]
    more: bool


class TaskIn(BaseModel):
    title: str = Field(max_length=500)
    description: str | None = None
    priority: str = "none"
    label_ids: list[PydanticObjectId] = []
    assignee_ids: list[PydanticObjectId] = []


class TaskPatch(BaseModel):
    title: str | None = Field(None, max_length=500)
    priority: str | None = None


def out(task: Task) -> TaskOut:
    return TaskOut.model_construct(**{**task.__dict__, "priority": PRIORITIES[task.priority]})


@asynccontextmanager
async def lifespan(app: FastAPI):
    client = AsyncMongoClient(os.environ["BENCH_MONGODB"], readConcernLevel="majority", tz_aware=True)
    app.state.database = client.get_default_database()
    await init_beanie(app.state.database, document_models=[Task, User], skip_indexes=True)
    yield


app = FastAPI(lifespan=lifespan)
projects_of: dict[str, list[ObjectId]] = {}
store = Redis.from_url(os.environ["BENCH_CACHE"])


async def caller(authorization: Annotated[str, Header()]) -> str:
    me = jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])["sub"]
    if ALIKE:
        await check(me)
    return me


async def check(me: str) -> None:
    count, _ = await store.pipeline(transaction=False).incr(f"alike:{me}").expire(f"alike:{me}", 60).execute()
    if count > MAX_REQUESTS:
        raise HTTPException(429)
    if await User.find_one({"_id": ObjectId(me), "disabled_at": None}) is None:
        raise HTTPException(401)


Caller = Annotated[str, Depends(caller)]


def tagged(model: BaseModel, match: str | None, etag: str = "") -> Response:
    body = model.model_dump_json().encode()
    etag = f'"{etag or blake2b(body, digest_size=16).hexdigest()}"'
    if match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    return Response(body, headers={"ETag": etag}, media_type="application/json")


async def page(query: dict, order: list[tuple[str, int]], match: str | None) -> Response:
    rows = await Task.find(query).sort(order).limit(51).to_list()
    return tagged(Page.model_construct(items=[out(row) for row in rows[:50]], more=len(rows) > 50), match)


Match = Annotated[str | None, Header(alias="if-none-match")]


@app.get("/api/v1/projects/{project}/tasks", response_model=Page)
async def list_project(project: str, me: Caller, match: Match = None, after_at: float = 0, after_id: str = ""):
    query: dict = {"project_id": ObjectId(project), "deleted_at": None}
    if after_id:
        at, last = datetime.fromtimestamp(after_at, UTC), ObjectId(after_id)
        query = {"$or": [query | {"updated_at": at, "_id": {"$lt": last}}, query | {"updated_at": {"$lt": at}}]}
    return await page(query, [("updated_at", -1), ("_id", -1)], match)


@app.get("/api/v1/tasks", response_model=Page)
async def list_mine(me: Caller, match: Match = None):
    if me not in projects_of:
        projects_of[me] = await app.state.database["memberships"].distinct("project_id", {"user_id": ObjectId(me)})
    query = {"project_id": {"$in": projects_of[me]}, "deleted_at": None, "marks": f"a:{me}"}
    return await page(query, [("created_at", 1), ("_id", 1)], match)


@app.get("/api/v1/tasks/{task}", response_model=TaskOut)
async def get(task: PydanticObjectId, me: Caller, match: Match = None):
    found = await Task.find_one({"_id": task, "deleted_at": None})
    return tagged(out(found), match, str(found.revision))


@app.post("/api/v1/projects/{project}/tasks", status_code=201, response_model=TaskOut)
async def post(project: PydanticObjectId, body: TaskIn, me: Caller):
    row = await app.state.database["projects"].find_one_and_update(
        {"_id": project}, {"$inc": {"last_number": 1}}, return_document=ReturnDocument.AFTER
    )
    data = body.model_dump() | {
        "priority": PRIORITIES.index(body.priority),
        "key": f"{row['key']}-{row['last_number']}",
    }
    moment = datetime.now(UTC)
    task = Task(**data, project_id=project, reporter_id=me, created_at=moment, updated_at=moment)
    return out(await task.insert())


@app.patch("/api/v1/tasks/{task}", response_model=TaskOut)
async def patch(task: PydanticObjectId, body: TaskPatch, me: Caller):
    found = await Task.find_one({"_id": task, "deleted_at": None})
    changes = body.model_dump(exclude_unset=True)
    if "priority" in changes:
        changes["priority"] = PRIORITIES.index(changes["priority"])
    await found.set(changes | {"revision": found.revision + 1, "updated_at": datetime.now(UTC)})
    return out(found)


async def figures(project: str, name: str) -> dict:
    query = {"project_id": ObjectId(project), "deleted_at": None}
    return (await Task.find(query).aggregate([{"$facet": PIPELINES[name]}]).to_list())[0]


@app.get("/api/v1/projects/{project}/stats")
async def stats(project: str, me: Caller):
    found = await figures(project, "stats")
    body = {"total": sum(row["count"] for row in found["by_status"]), **found}
    return Response(orjson.dumps(body, default=str), media_type="application/json")


@app.get("/api/v1/projects/{project}/facets")
async def facets(project: str, me: Caller):
    return Response(orjson.dumps(await figures(project, "facets"), default=str), media_type="application/json")
