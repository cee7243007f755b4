"""`make soak`: the memory of two web processes over 200,000 mixed requests, and whether it is flat.

Two hundred accounts read, search, create, change and fail. Memory is read after each thousandth part. Prints a verdict:
each process stays below MAX_MEGABYTES, and in the second half it grows by less than MAX_GROWTH; a process boots, and
`taskmanager --help` ends, within some CPU time. Keeps JSON and a plot.
"""

import argparse
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pymongo
from bson import ObjectId

from taskmanager.core.storage import database
from tests.bench import plot
from tests.bench.compare.client import Request, burst
from tests.bench.compare.meters import megabytes
from tests.bench.compare.servers import UNLIMITED, Server, log_in, ours
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import MEMBERS, Plan
from tests.bench.seeding.store import FOLDER, Store
from tests.faults.stack import ROOT

MAX_MEGABYTES = 110
MAX_GROWTH = 3.0  # MB for 100,000 requests, in the second half
MAX_BOOT_SECONDS, MAX_HELP_SECONDS = 1.5, 0.3  # of CPU
_MIN_REQUESTS = 20_000  # of a run whose growth means anything
_SAMPLES, _CONNECTIONS = 1_000, 8
_ALLOWED = {200, 201, 204, 304, 403, 404, 409, 412, 422}
_FILTERS = ("assignee = me", "status = open", "priority >= high and due_at < now+7d", "label = bug", "title ~ review")
_SORTS = ("created_at", "-updated_at", "due_at", "priority,-due_at", "key", "title")
Series = dict[str, list[tuple[float, float]]]


class Account:
    """An account whose requests are made up at random."""

    def __init__(self, number: int, tasks: dict[ObjectId, list[str]], chance: random.Random) -> None:
        self.name, self._chance, self._tasks = f"owner-{number}", chance, tasks
        self._projects = [plans.project_id(number - step) for step in range(min(number + 1, MEMBERS))]
        self._kinds: dict[Callable[[], Request], int] = {
            self._list: 25,
            self._one: 20,
            self._unchanged: 10,
            self._filtered: 12,
            self._all: 6,
            self._create: 6,
            self._change: 6,
            self._complete: 3,
            self._comment: 2,
            self._search: 2,
            self._figures: 2,
            self._project: 3,
            self._wrong: 3,
        }

    def request(self) -> Request:
        """Return one request."""
        return self._chance.choices(list(self._kinds), list(self._kinds.values()))[0]()

    def _get(self, path: str, etag: str = "") -> Request:
        return Request("GET", f"/api/v1{path}", self.name, etag=etag)

    def _in_project(self) -> str:
        return f"/projects/{self._chance.choice(self._projects)}"

    def _task(self) -> str:
        return f"/tasks/{self._chance.choice(self._tasks[self._chance.choice(self._projects)])}"

    def _list(self) -> Request:
        return self._get(f"{self._in_project()}/tasks?limit=50&sort={self._chance.choice(_SORTS)}")

    def _one(self) -> Request:
        return self._get(self._task())

    def _unchanged(self) -> Request:
        return self._get(self._task(), etag='"1"')

    def _filtered(self) -> Request:
        return self._get(f"{self._in_project()}/tasks?filter={quote(self._chance.choice(_FILTERS))}")

    def _all(self) -> Request:
        return self._get(f"/tasks?limit=20&sort={self._chance.choice(_SORTS)}")

    def _search(self) -> Request:
        return self._get(f"/search?q={self._chance.choice(('invoice', 'contract%20sup', 'B7', 'renew'))}")

    def _figures(self) -> Request:
        return self._get(f"{self._in_project()}/{self._chance.choice(('stats', 'facets'))}")

    def _project(self) -> Request:
        return self._get(self._in_project() + self._chance.choice(("", "/members", "/labels", "/webhooks")))

    def _create(self) -> Request:
        body = {"title": f"review {self._chance.random()}", "description": "x " * self._chance.randrange(500)}
        return Request("POST", f"/api/v1{self._in_project()}/tasks", self.name, body)

    def _change(self) -> Request:
        return self._patch({"title": f"contract {self._chance.random()}", "priority": "low"})

    def _patch(self, body: Any) -> Request:
        return Request("PATCH", f"/api/v1{self._task()}", self.name, body, "*", "application/merge-patch+json")

    def _complete(self) -> Request:
        return self._patch({"status": self._chance.choice(("done", "open"))})

    def _comment(self) -> Request:
        return Request("POST", f"/api/v1{self._task()}/comments", self.name, {"text": "**Well** done, [see](/x)"})

    def _wrong(self) -> Request:
        number = self._chance.randrange(10**9)
        paths = (f"/tasks/{ObjectId()}", f"/no/{number}", f"/tasks?filter={quote(f'custom_fields.x{number} = 1')}")
        return self._get(self._chance.choice((*paths, f"/tasks?sort=x{number}")))


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="Memory of the web processes over many requests")
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--accounts", type=int, default=200)
    options = parser.parse_args()
    limits = dict.fromkeys(("ratelimit_default", "ratelimit_expensive", "ratelimit_login_address"), UNLIMITED)
    plan = Plan(20_000, owners=options.accounts)
    store = Store(plan, **limits, expensive_queries=100, web_processes=2, access_token_minutes=24 * 60)
    server = ours(store)
    try:
        store.open()
        server.start()
        boots = boot_seconds(server)
        series = soaked(store, server, options.requests)
    finally:
        server.stop()
        store.stop()
    found = [*verdict(series, options.requests), *starts(boots, help_seconds())]
    keep(series, options.requests, found)
    print(*found, sep="\n")
    sys.exit(any(line.startswith("NOT") for line in found))


def soaked(store: Store, server: Server, number: int) -> Series:
    """Send the requests; return the memory of each process: [(requests until then, MB)]."""
    chance, tasks = random.Random(3), _tasks(store.plan)
    log_in(server, [f"owner-{each}" for each in range(store.plan.owners)])
    accounts = [Account(each, tasks, chance) for each in range(store.plan.owners)]
    step = max(20, number // _SAMPLES)
    series: Series = {}
    for done in range(0, number, step):
        _read(server, series, done)
        asked = [chance.choice(accounts).request() for _ in range(step)]
        encoded = [request.encoded(server.port, server.tokens[request.person]) for request in asked]
        found = burst(server.port, encoded, _CONNECTIONS, _ALLOWED)
        if found.wrong:
            raise SystemExit(f"after {done} requests: {len(found.wrong)} wrong answers: {found.wrong[0]}")
        if done // step % 50 == 49:
            print(f"{done + step:,} requests: {_now(series)} MB", file=sys.stderr, flush=True)
    _read(server, series, number)
    return series


def _tasks(plan: Plan) -> dict[ObjectId, list[str]]:
    found: dict[ObjectId, list[str]] = {plans.project_id(number): [] for number in range(plan.owners)}
    with pymongo.timeout(60):
        for row in database.database()["tasks"].find({}, {"project_id": 1}):
            found[row["project_id"]].append(str(row["_id"]))
    return found


def _read(server: Server, series: Series, done: int) -> None:
    for number, found in enumerate(megabytes(server), start=1):
        series.setdefault(f"process {number}", []).append((done, found))


def _now(series: Series) -> str:
    return ", ".join(f"{found[-1][1]:.0f}" for found in series.values())


def verdict(series: Series, requests: int) -> list[str]:
    """Return a line for each process, which begins with NOT when it is too large or not flat."""
    lines = []
    for name, found in series.items():
        most, growth = max(memory for _, memory in found), slope(found[len(found) // 2 :]) * 100_000
        is_flat = growth <= MAX_GROWTH or requests < _MIN_REQUESTS
        words = f"{name}: {found[0][1]:.0f} MB at first, {found[-1][1]:.0f} at last, {most:.0f} at most"
        words += f", {growth:+.2f} MB for 100,000 requests in the second half"
        lines.append(("OK  " if most <= MAX_MEGABYTES and is_flat else "NOT ") + words)
    limit = f"{MAX_MEGABYTES} MB, and {MAX_GROWTH} MB for 100,000 requests"
    return [*lines, f"    ({requests:,} requests; the limits are {limit})"]


def boot_seconds(server: Server) -> list[float]:
    """Return the CPU seconds that each web process has used until it is ready."""
    return [sum(process.cpu_times()[:2]) for process in server.processes() if process.children() == []]


def help_seconds() -> float:
    """Return the CPU seconds of `taskmanager --help`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "workers.cli", "--help"], cwd=ROOT, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def starts(boots: Sequence[float], of_help: float) -> list[str]:
    """Return a line for each start, which begins with NOT when it takes too much CPU."""
    found = [("a web process boots in", seconds, MAX_BOOT_SECONDS) for seconds in boots]
    found.append(("`taskmanager --help` takes", of_help, MAX_HELP_SECONDS))
    return [
        f"{'OK ' if took <= most else 'NOT'} {what} {took:.2f} CPU s (at most {most})" for what, took, most in found
    ]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the straight line through some points, by least squares."""
    middle = [sum(values) / len(points) for values in zip(*points, strict=True)]
    above = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
    below = sum((x - middle[0]) ** 2 for x, _ in points)
    return above / below if below else 0.0


def keep(series: Series, requests: int, found: Sequence[str]) -> None:
    """Write the memory over time as JSON and as a plot."""
    folder = FOLDER / "results"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"soak-{requests}-{datetime.now(UTC):%Y%m%d-%H%M}"
    (folder / f"{name}.json").write_text(json.dumps({"verdict": found, "memory": series}))
    shown = series | {"at most": [(0, MAX_MEGABYTES), (requests, MAX_MEGABYTES)]}
    (folder / f"{name}.svg").write_text(plot.lines("Memory over mixed requests", shown, "MB of each web process"))
    print(f"kept in {folder / name}.svg")


if __name__ == "__main__":
    main()
