"""`python -m tests.bench.killed_web`: for how long a project cannot be written to after its writers were killed.

Two web servers on one database; eight clients write to one project through the first, which is killed with -9 (or the
database is frozen, and thawed, with `--freeze`). The second is asked to write to the same project until it can. Once
with the lifetime of transactions that we set, once with MongoDB's default, and with what operators are told of that.
"""

import argparse
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from threading import Event

from pymongo import MongoClient

from taskmanager.embedded import mongod, ports
from tests.faults.stack import Process, Stack, eventually, freeze, thaw
from tests.faults.web_client import WebClient

PARAMETER = "transactionLifetimeLimitSeconds"
OURS, DEFAULT = 5, 60
_CLIENTS = 8
_LOAD_SECONDS, _FROZEN_SECONDS = 1.5, 8.0


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="How long a project is blocked when a web server is killed")
    parser.add_argument("--rounds", type=int, default=8, help="kills for each lifetime")
    parser.add_argument("--freeze", action="store_true", help="freeze the database for some seconds instead")
    options = parser.parse_args()
    for lifetime in (OURS, DEFAULT):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            blocked = measured(Path(folder), lifetime, options.rounds, options.freeze)
        print(
            f"{PARAMETER}={lifetime}: blocked for {', '.join(f'{each:.1f}' for each in blocked)} s; "
            f"median {statistics.median(blocked):.1f} s, longest {max(blocked):.1f} s",
            flush=True,
        )


def measured(folder: Path, lifetime: int, rounds: int, freezing: bool) -> list[float]:
    """Seconds until the project takes a write again, for each round; prints what operators are told."""
    stack = Stack(folder, ratelimit_enabled=False)
    try:
        stack.start_servers()
        stack.migrate()
        set_lifetime(stack.mongodb, lifetime)
        port = second(stack)
        stack.start("web", "second")
        eventually(lambda: all(ready(each) for each in (stack.settings.port, port)), "readiness")
        tell(stack)
        client = WebClient(stack.url).register()
        project = client.send("POST", "/api/v1/projects", {"key": "W", "name": "Written to"}).body["id"]
        return [blocked(stack, client, client.at(url(port)), project, freezing) for _ in range(rounds)]
    finally:
        stack.stop()


def set_lifetime(server: mongod.MongodServer, seconds: int) -> None:
    """As MongoDB starts with it, or as we set it: `migrate` has shortened it."""
    with MongoClient(server.uri) as client:
        client.admin.command("setParameter", 1, **{PARAMETER: seconds})


def second(stack: Stack) -> int:
    """Add a web server on the same servers; answers its port."""
    port = ports.choose()
    environment = stack.environment() | {"TASKMANAGER_PORT": str(port)}
    words = ["-m", "gunicorn", "-c", "python:config.gunicorn", "wsgi:app"]
    stack.processes["second"] = Process("second", words, environment, stack.folder)
    return port


def url(port: int) -> str:
    return f"http://{ports.LOCALHOST}:{port}"


def ready(port: int) -> bool:
    with suppress(OSError):
        return WebClient(url(port)).get("/health/ready").status == 200
    return False


def tell(stack: Stack) -> None:
    """Print the warnings in the log of the first server."""
    for line in (stack.folder / "web.log").read_text().splitlines():
        if "not set as it should be" in line:
            print(f"  the log says: {line}")


def blocked(stack: Stack, first: WebClient, other: WebClient, project: str, freezing: bool) -> float:
    """Seconds from the end of the writers, or of the freeze, until the project takes a write."""
    stack.start("web")
    eventually(lambda: ready(stack.settings.port), "readiness")
    with ThreadPoolExecutor(_CLIENTS) as pool:
        stopping = Event()
        for _ in range(_CLIENTS):
            pool.submit(write, first, project, stopping)
        time.sleep(_LOAD_SECONDS)
        if freezing:
            freeze(stack.mongodb)
            time.sleep(_FROZEN_SECONDS)
            thaw(stack.mongodb)
        else:
            stack.kill("web")
        stopping.set()
        return eventually(lambda: wrote(other, project), "a write")


def write(client: WebClient, project: str, stopping: Event) -> None:
    """Make tasks until told to stop, or the server is gone."""
    with suppress(OSError, HTTPException):
        while not stopping.is_set():
            wrote(client, project)


def wrote(client: WebClient, project: str) -> bool:
    """Whether a task could be made."""
    return client.send("POST", f"/api/v1/projects/{project}/tasks", {"title": "Written"}).status == 201


if __name__ == "__main__":
    main()
