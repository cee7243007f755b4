"""`python -m tests.bench.hot_project`: how many tasks many clients create in one project at the same time.

Two web processes on one database; 1, 4, 16 and 64 clients create tasks in one project, without advisory locks
(`before`), with them, and with them while the cache store is away. The limit is the same transaction by bare PyMongo,
one after the other, without a server. The peer `limit` of the comparison (bare Flask, PyMongo and orjson in two
processes, which wait for each other nowhere) does it for requests, of one client and of 16.
"""

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from bson import ObjectId
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.read_concern import ReadConcern
from pymongo.write_concern import WriteConcern

from taskmanager.embedded import ports
from tests.bench.compare import servers
from tests.faults.stack import Stack, eventually
from tests.faults.web_client import WebClient

WRITERS, OF_PEER = (1, 4, 16, 64), (1, 16)
OURS = "wsgi:app"
_BODY = b'{"title": "Written", "description": "", "priority": "none"}'
_WARM_SECONDS = 1.0
_PATIENCE_SECONDS = 60
_HEADER = "| writers | | commits/s | of the limit | aborted per commit | statuses | p50 ms | p99 ms | longest ms |"


class Run(NamedTuple):
    """What one number of clients got."""

    seconds: float
    committed: int
    aborted: int
    statuses: Counter[int]
    times: list[float]

    def row(self, writers: int, name: str, limit: float) -> str:
        rate = self.statuses[201] / self.seconds
        cuts = statistics.quantiles(self.times, n=100) if len(self.times) > 1 else self.times * 99
        parts = [writers, name, f"{rate:.0f}", f"{rate / limit:.2f}", f"{self.aborted / max(1, self.committed):.2f}"]
        parts += [" ".join(f"{code}: {number}" for code, number in sorted(self.statuses.items()))]
        parts += [f"{1000 * value:.0f}" for value in (cuts[49], cuts[98], max(self.times))]
        return "| " + " | ".join(map(str, parts)) + " |"


class Target(NamedTuple):
    """Where tasks are created, with which headers."""

    url: str
    path: str
    headers: dict[str, str]


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Many clients create tasks in one project")
    parser.add_argument("--seconds", type=float, default=6.0, help="for each number of clients")
    parser.add_argument("--writers", type=int, nargs="+", default=WRITERS)
    options = parser.parse_args()
    print(_HEADER + "\n" + "|---" * 9 + "|", flush=True)
    for name, app, away in (
        ("before", "tests.bench.unordered:app", False),
        ("ordered", OURS, False),
        ("ordered, no cache store", OURS, True),
    ):
        with started(app) as (stack, client, project):
            if away:
                stack.cache.stop()
            path = f"/api/v1/projects/{project}/tasks"
            ours = Target(stack.url, path, client._headers({}, "POST"))
            write_for(stack, ours, 4, _WARM_SECONDS)
            limit = bare(stack, ObjectId(project), options.seconds)
            for writers in options.writers:
                print(write_for(stack, ours, writers, options.seconds).row(writers, name, limit), flush=True)
            print(f"| 1 | bare PyMongo | {limit:.0f} | 1 | | | | | |", flush=True)
            if app == OURS and not away:
                for writers in OF_PEER:
                    found = write_to_peer(stack, Target("", path, of_peer(client)), writers, options.seconds)
                    print(found.row(writers, "bare Flask", limit), flush=True)


@contextmanager
def started(app: str) -> Iterator[tuple[Stack, WebClient, str]]:
    """Start the servers and two web processes; the client owns the project."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        stack = Stack(Path(folder), ratelimit_enabled=False, web_processes=2)
        stack._command = lambda name: [*Stack._command(stack, name)[:-1], app]  # type: ignore[method-assign]
        try:
            stack.start_servers()
            stack.migrate()
            stack.start("web")
            eventually(lambda: ready(stack), "readiness")
            client = WebClient(stack.url).register()
            project = client.send("POST", "/api/v1/projects", {"key": "W", "name": "Written to"}).body["id"]
            yield stack, client, project
        finally:
            stack.stop()


def ready(stack: Stack) -> bool:
    """Return whether the web server is ready."""
    try:
        return WebClient(stack.url).get("/health/ready").status == 200
    except OSError:
        return False


def of_peer(client: WebClient) -> dict[str, str]:
    """Return the headers by which the peer knows a client."""
    return {"Authorization": f"Bearer {servers.token_of(client.id)}", "Content-Type": "application/json"}


def write_to_peer(stack: Stack, target: Target, writers: int, seconds: float) -> Run:
    """Start the peer, and let some clients create tasks there."""
    peer = servers.peer("limit", servers.commands()["limit"], stack)
    peer.start()
    try:
        target = target._replace(url=f"http://{ports.LOCALHOST}:{peer.port}")
        write_for(stack, target, 1, _WARM_SECONDS)
        return write_for(stack, target, writers, seconds)
    finally:
        peer.stop()


def write_for(stack: Stack, target: Target, writers: int, seconds: float) -> Run:
    """Let some clients create tasks for some seconds."""
    statuses, times = Counter[int](), []
    with MongoClient(stack.mongodb.uri) as server, ThreadPoolExecutor(writers) as pool:
        before, began = transactions(server), time.monotonic()
        end = began + seconds
        for answers in pool.map(lambda _: create_until(end, target), range(writers)):
            statuses.update(status for status, _ in answers)
            times += [duration for _, duration in answers]
        lasted, after = time.monotonic() - began, transactions(server)
    return Run(lasted, after[0] - before[0], after[1] - before[1], statuses, times)


def transactions(server: MongoClient[Any]) -> tuple[int, int]:
    """Return how many transactions were committed and aborted since the server started."""
    found = server.admin.command("serverStatus")["transactions"]
    return found["totalCommitted"], found["totalAborted"]


def create_until(end: float, target: Target) -> list[tuple[int, float]]:
    """Create tasks over one connection; return the status and the seconds of each request."""
    place = urlsplit(target.url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_PATIENCE_SECONDS)
    found = []
    while time.monotonic() < end:
        began = time.monotonic()
        connection.request("POST", target.path, _BODY, target.headers)
        response = connection.getresponse()
        response.read()
        found.append((response.status, time.monotonic() - began))
    connection.close()
    return found


def bare(stack: Stack, project_id: ObjectId, seconds: float) -> float:
    """Return how many a second of the same transactions bare PyMongo commits, one after the other."""
    with MongoClient(stack.mongodb.uri) as server, server.start_session() as session:
        database = server.get_default_database()
        task, event = database.tasks.find_one({}), database.events.find_one({"kind": "task.created"})
        stream, number, began = f"project:{project_id}", 0, time.monotonic()

        def create(session: ClientSession) -> None:
            found = database.projects.find_one_and_update(
                {"_id": project_id}, {"$inc": {"last_number": 1}}, session=session, return_document=True
            )
            made = task | {"_id": ObjectId(), "key": f"B-{found['last_number']}"}
            database.tasks.insert_one(made, session=session)
            counter = database.counters.find_one_and_update(
                {"_id": stream}, {"$inc": {"seq": 1}}, session=session, return_document=True
            )
            database.events.insert_one(event | {"_id": ObjectId(), "seq": counter["seq"]}, session=session)

        while time.monotonic() < began + seconds:
            session.with_transaction(
                create, read_concern=ReadConcern("snapshot"), write_concern=WriteConcern("majority")
            )
            number += 1
        return number / (time.monotonic() - began)


if __name__ == "__main__":
    main()
