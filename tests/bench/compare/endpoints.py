"""What is measured: the requests of each endpoint, in the form that each server understands."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from taskmanager.core.storage import database
from taskmanager.features.tasks.models import PRIORITIES
from tests.bench.compare.client import Request
from tests.bench.compare.servers import Server
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import HOT, Plan

READER, WRITER, WIDE = "busy-1", "busy-100", "busy-1000"
DEPTH = 10_000
DESCRIPTION = "notes of the benchmark about missing invoices of last quarter, for finance"
Builder = Callable[["Targets", Server, int], list[Request]]


@dataclass(frozen=True)
class Endpoint:
    """One endpoint: how many connections ask it, the status, and what part of the usual number of requests is sent."""

    name: str
    build: Builder
    status: int = 200
    connections: int = 32
    share: float = 1.0
    without: tuple[str, ...] = ()  # servers that have no such thing


def written(plan: Plan) -> range:
    """Return the numbers of the projects in which tasks are made and changed: those of WRITER but the large ones."""
    return range(HOT, min(plan.person(WRITER).width, plan.owners))


class Targets:
    """What the requests name: tasks, projects, and where the deep page begins."""

    def __init__(self, plan: Plan) -> None:
        self.plan, self.random = plan, random.Random(5)
        self.hot = plans.project_id(0)
        self._stored = database.database()["tasks"]
        self.tasks = [str(row["_id"]) for row in self._stored.find({"project_id": self.hot}, {"_id": 1}).limit(500)]
        self.projects = [plans.project_id(number) for number in written(plan)]
        found = self._stored.find({"project_id": {"$in": self.projects}}, {"_id": 1}).limit(5000)
        self.changed = [str(row["_id"]) for row in found]
        self.random.shuffle(self.changed)
        self.depth = min(DEPTH, plan.size_of(0) // 2)
        order = [("updated_at", -1), ("_id", -1)]
        query = {"project_id": self.hot, "deleted_at": None}
        self.last = next(self._stored.find(query, {"updated_at": 1}, sort=order, skip=self.depth - 1, limit=1))
        self._cursors: dict[str, str] = {}
        self._numbers = 0

    def list_path(self, server: Server, project: Any = None) -> str:
        """Return the path of the first page of a project, the largest one without `project`."""
        project = project or self.hot
        if server.name == "eve":
            return _eve({"project_id": str(project), "deleted_at": None}, "-updated_at,-_id")
        plain = f"/api/v1/projects/{project}/tasks"
        return f"{plain}?limit=50&sort=-updated_at" if server.name == "ours" else plain

    def deep_path(self, server: Server) -> str:
        """Return the path of the page after the first `depth` rows."""
        at = self.last["updated_at"]
        if server.name == "ours":
            return f"{self.list_path(server)}&cursor={quote(self._cursor(server))}"
        if server.name == "eve":
            text = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            ranges = [{"updated_at": text, "_id": {"$lt": str(self.last["_id"])}}, {"updated_at": {"$lt": text}}]
            where = {"project_id": str(self.hot), "deleted_at": None, "$or": ranges}
            return _eve(where, "-updated_at,-_id")
        return f"{self._plain()}?{urlencode({'after_at': repr(at.timestamp()), 'after_id': self.last['_id']})}"

    def mine_path(self, server: Server, person: str) -> str:
        """Return the path of `assignee = me` over all projects of a person."""
        if server.name == "ours":
            return "/api/v1/tasks?filter=" + quote("assignee = me")
        if server.name != "eve":
            return "/api/v1/tasks"
        width, user = self.plan.person(person).width, self.plan.person(person).id
        projects = {"$in": [str(plans.project_id(number)) for number in range(width)]}
        return _eve({"project_id": projects, "deleted_at": None, "marks": f"a:{user}"}, "created_at,_id")

    def title(self) -> str:
        self._numbers += 1
        return f"prepare the review of the contract {self._numbers}"

    def _plain(self) -> str:
        return f"/api/v1/projects/{self.hot}/tasks"

    def _cursor(self, server: Server) -> str:
        """Walk as a client does."""
        if server.name not in self._cursors:
            base = f"/api/v1/projects/{self.hot}/tasks?sort=-updated_at"
            cursor, left = "", self.depth
            while left:
                size = min(200, left)
                path = f"{base}&limit={size}" + (f"&cursor={quote(cursor)}" if cursor else "")
                status, _, body = server.send(Request("GET", path, READER))
                assert status == 200, body
                cursor, left = orjson.loads(body)["next_cursor"], left - size
            self._cursors[server.name] = cursor
        return self._cursors[server.name]


def _eve(where: dict[str, Any], sort: str) -> str:
    return "/api/v1/tasks?" + urlencode({"where": json.dumps(where), "sort": sort, "max_results": 50})


def _list(targets: Targets, server: Server, number: int) -> list[Request]:
    return [Request("GET", targets.list_path(server), READER)] * number


def _list_of_any(targets: Targets, server: Server, number: int) -> list[Request]:
    """Return requests for lists of so many projects that no process keeps the items of all."""
    projects = targets.random.choices(range(HOT, min(targets.plan.person(WIDE).width, targets.plan.owners)), k=number)
    return [Request("GET", targets.list_path(server, plans.project_id(each)), WIDE) for each in projects]


def _one(targets: Targets, server: Server, number: int) -> list[Request]:
    return [Request("GET", f"/api/v1/tasks/{task}", READER) for task in targets.random.choices(targets.tasks, k=number)]


def _unchanged(asked: list[Request], server: Server) -> list[Request]:
    """Return the requests with the ETags that the server gives now."""
    etags: dict[str, str] = {}
    for request in asked:
        if request.path not in etags:
            etags[request.path] = server.send(request)[1]["etag"]
    return [Request("GET", request.path, request.person, etag=etags[request.path]) for request in asked]


def _one_unchanged(targets: Targets, server: Server, number: int) -> list[Request]:
    paths = [f"/api/v1/tasks/{task}" for task in targets.tasks[:20]]
    return _unchanged([Request("GET", paths[count % len(paths)], READER) for count in range(number)], server)


def _list_unchanged(targets: Targets, server: Server, number: int) -> list[Request]:
    return _unchanged(_list(targets, server, number), server)


def _deep(targets: Targets, server: Server, number: int) -> list[Request]:
    return [Request("GET", targets.deep_path(server), READER)] * number


def _mine(person: str) -> Builder:
    return lambda targets, server, number: [Request("GET", targets.mine_path(server, person), person)] * number


def _post(targets: Targets, server: Server, number: int) -> list[Request]:
    projects = [targets.projects[count % len(targets.projects)] for count in range(number)]
    return [_new(targets, server, project) for project in projects]


def _new(targets: Targets, server: Server, project: Any) -> Request:
    body = {"title": targets.title(), "description": DESCRIPTION}
    body |= {"priority": "high", "assignee_ids": [str(targets.plan.person(WRITER).id)], "label_ids": []}
    if server.name == "eve":
        body |= {"priority": PRIORITIES.index("high"), "project_id": str(project)}
        return Request("POST", "/api/v1/tasks", WRITER, body)
    return Request("POST", f"/api/v1/projects/{project}/tasks", WRITER, body)


def _patch(targets: Targets, server: Server, number: int) -> list[Request]:
    tasks = [targets.changed[count % len(targets.changed)] for count in range(number)]
    targets.changed = targets.changed[number:] + targets.changed[:number]
    priority = PRIORITIES.index("low") if server.name == "eve" else "low"
    bodies = [{"title": targets.title(), "priority": priority} for _ in tasks]
    etag = "*" if server.name == "ours" else ""
    kind = "application/json" if server.name == "eve" else "application/merge-patch+json"
    return [
        Request("PATCH", f"/api/v1/tasks/{task}", WRITER, body, etag, kind)
        for task, body in zip(tasks, bodies, strict=True)
    ]


def _figures(name: str) -> Builder:
    def build(targets: Targets, server: Server, number: int) -> list[Request]:
        return [Request("GET", f"/api/v1/projects/{targets.hot}/{name}", READER)] * number

    return build


ENDPOINTS = (
    Endpoint("list 50", _list),
    Endpoint("list 50 of any of 1,000", _list_of_any),
    Endpoint("one task", _one),
    Endpoint("304 one task", _one_unchanged, 304),
    Endpoint("304 list", _list_unchanged, 304, without=("eve",)),
    Endpoint("keyset page deep", _deep),
    Endpoint("post", _post, 201, connections=16, share=0.5),
    Endpoint("patch", _patch, connections=16, share=0.5),
    Endpoint("assignee = me in 10 projects", _mine("busy-10"), connections=8, share=0.5),
    Endpoint("assignee = me in 100 projects", _mine("busy-100"), connections=8, share=0.5),
    Endpoint("23 of mine in 100 projects", _mine("sparse-100"), connections=8, share=0.5),
    Endpoint("stats", _figures("stats"), connections=4, share=0.1),
    Endpoint("facets", _figures("facets"), connections=4, share=0.1),
)
