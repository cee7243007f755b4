"""`make bench-sync`: what sync and the live stream cost, beside many tasks and many connections.

1. `GET /sync` with a token: milliseconds, index keys and commands by the number of changes (ARGS="--tasks 20000").
2. A process of the stream with many connections, while tasks are written at a constant rate: its memory, how long a
   committed change takes to its position in the log and to the clients that see it, and that each got it once.

Each project is followed by `--watchers` connections of its members in turn. Times begin when the writer has its
response, so they are those after the commit; clients, servers and database share this machine.
"""

import argparse
import asyncio
import json
import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from urllib.parse import urlsplit

import psutil
import requests
from bson import ObjectId
from flask import Flask
from flask.testing import FlaskClient

from taskmanager.core.events import positions
from taskmanager.core.events.log import Event
from taskmanager.features.sync import live, tokens
from taskmanager.features.tasks.models import Task
from taskmanager.features.users.models import User
from taskmanager.testing.clients import sign_in
from taskmanager.web.authentication.credentials import claim_of
from tests.bench.profiler import Profiler
from tests.bench.seeding import plan as plans
from tests.bench.seeding.plan import HOT, MEMBERS, Plan
from tests.bench.seeding.store import Store
from tests.faults.stack import eventually

ANY = {"If-Match": "*"}
_CHANGES = (0, 1, 10, 100)
_WRITERS = 8
_LOOK_SECONDS = 0.01


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="The cost of sync and of the stream")
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=2_000, help="0: only the cost of a delta")
    parser.add_argument("--watchers", type=int, default=5, help="connections that follow the same project")
    parser.add_argument("--rate", type=int, default=50, help="writes a second")
    parser.add_argument("--seconds", type=int, default=30)
    options = parser.parse_args()
    limits = {"ratelimit_enabled": False, "access_token_minutes": 24 * 60, "web_processes": 2, "log_level": "WARNING"}
    store = Store(Plan(options.tasks), **limits, stream_connections=options.connections + 10)
    try:
        app = store.open()
        for line in table_of(app, store.plan, _CHANGES):
            print(line, flush=True)
        if not options.connections:
            return
        store.start("web", "relay", "stream")
        print(asyncio.run(Streams(store, app, options).run()), flush=True)
    finally:
        store.stop()


def table_of(app: Flask, plan: Plan, changes: tuple[int, ...]) -> Iterator[str]:
    """Yield the lines of a table: what a delta costs, by its number of changes, a member of one and many projects."""
    profiler = Profiler()
    try:
        yield "| streams | changes | objects | ms | commands | keys of the log | allowed | keys in all |"
        yield "|--:|--:|--:|--:|--:|--:|--:|--:|"
        for width in (1, 10, 100, 1_000):
            if width > plan.owners:
                break
            user = User.objects.get(id=plan.person(f"busy-{width}").id)
            client = sign_in(app, user)
            for number in changes:
                yield _delta(client, profiler, width, number)
    finally:
        profiler.end()


def _delta(client: FlaskClient, profiler: Profiler, width: int, changes: int) -> str:
    _place()
    token = _begin(client)
    large = [plans.project_id(number) for number in range(min(width, HOT))]
    for task in Task.objects(project_id__in=large).only("id").limit(changes) if changes else ():
        answer = client.patch(f"/api/v1/tasks/{task.id}", json={"title": f"n {time.monotonic()}"}, headers=ANY)
        assert answer.status_code == 200, answer.text
    _place()
    query = {"token": token, "limit": 500}
    times = []
    for _ in range(5):
        began = time.perf_counter()
        answer = client.get("/api/v1/sync", query_string=query)
        times.append(time.perf_counter() - began)
    moment = profiler.begin()
    client.get("/api/v1/sync", query_string=query)
    time.sleep(0.1)  # the profiler writes after the response
    found = profiler.since(moment, 1)
    of_log = sum(one.get("keysExamined", 0) for one in found if one["ns"].endswith(".events"))
    every = sum(one.get("keysExamined", 0) for one in found)
    objects = sum(map(len, answer.json["objects"].values()))
    streams, allowed = width + 1, 3 * changes + width + 1
    assert objects == changes and not answer.json["has_more"], answer.json
    assert of_log <= allowed + 2, found  # two for the search of events without a position
    ms = statistics.median(times) * 1000
    return f"| {streams} | {changes} | {objects} | {ms:.1f} | {len(found)} | {of_log} | {allowed} | {every} |"


def _begin(client: FlaskClient) -> str:
    """Return a token from now on: that of a stream, because a full sync of many projects takes its time."""
    with client.application.app_context():
        listener = live.listen(claim_of(client.environ_base["HTTP_AUTHORIZATION"]))
    return tokens.sign(listener.state, listener.actor)


def _place() -> None:
    while positions.place_next():
        pass


@dataclass
class Written:
    """What was written: when its response came, by the title that the write has set."""

    at: dict[str, float] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    positioned: dict[str, float] = field(default_factory=dict)
    received: list[tuple[str, float]] = field(default_factory=list)  # by all connections


class Streams:
    """Connections to the process of the stream, writers, and what the connections receive."""

    def __init__(self, store: Store, app: Flask, options: argparse.Namespace) -> None:
        self.store, self.app, self.options, self.written = store, app, options, Written()
        number = max(1, options.connections // options.watchers)
        self.projects = [MEMBERS * place for place in range(number)]  # no account is a member of two of them
        self._ended = threading.Event()
        self._open: list[asyncio.StreamWriter] = []

    async def run(self) -> str:
        """Return the result as text."""
        await asyncio.to_thread(eventually, self._is_ready, "the processes")
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_WRITERS + 4))
        given = await asyncio.to_thread(self._tokens)
        before, began = self._memory(), time.monotonic()
        readers = [await self._connect(project, given[member]) for project, member in self._watched()]
        opened, connected, cpu = time.monotonic() - began, self._memory(), self._cpu()
        tasks = [asyncio.create_task(self._read(reader)) for reader in readers]
        watching = asyncio.create_task(asyncio.to_thread(self._watch_positions))
        try:
            await asyncio.gather(*(asyncio.to_thread(self._write, number, given) for number in range(_WRITERS)))
            await asyncio.to_thread(self._settle)
        finally:
            self._ended.set()
        await watching
        peak, cpu = self._memory(), self._cpu() - cpu
        for task in tasks:
            task.cancel()
        return self._result(opened, before, connected, peak, cpu)

    def _is_ready(self) -> bool:
        with suppress(requests.RequestException):
            stream = f"http://127.0.0.1:{self.store.settings.stream_port}/health/live"
            return all(requests.get(one, timeout=5).ok for one in (f"{self.store.url}/health/ready", stream))
        return False

    def _tokens(self) -> dict[ObjectId, str]:
        """Return an access token of each member."""
        ids = {member for _, member in self._watched()} | {plans.user_id(project) for project in self.projects}
        people = list(User.objects(id__in=list(ids)))
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda person: sign_in(self.app, person), people)
            headers = (str(one.environ_base["HTTP_AUTHORIZATION"]) for one in found)
            return dict(zip((person.id for person in people), headers, strict=True))

    def _watched(self) -> list[tuple[int, ObjectId]]:
        """Return for each connection the project, and the member of it who follows it."""
        places = [divmod(number, len(self.projects)) for number in range(self.options.connections)]
        members = {project: self.store.plan.members_of(project)[:MEMBERS] for project in self.projects}
        found = [(self.projects[place], turn) for turn, place in places]
        return [(project, members[project][turn % len(members[project])]) for project, turn in found]

    async def _connect(self, project: int, authorization: str) -> asyncio.StreamReader:
        """Open a stream of a project."""
        port = self.store.settings.stream_port
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4_000_000)
        query = f"types=tasks&project_id={plans.project_id(project)}"
        request = f"GET /api/v1/stream?{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n"
        writer.write(request.encode())
        status = await reader.readline()
        assert b" 200 " in status, status
        self._open.append(writer)
        return reader

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            if line.startswith(b"data: "):
                now = time.monotonic()
                found = json.loads(line[6:])["objects"].get("tasks", ())
                self.written.received += [(task["title"], now) for task in found]

    def _write(self, writer: int, given: dict[ObjectId, str]) -> None:
        """Write at a constant rate, each task once, so that no change is overtaken by the next."""
        parts, pause = urlsplit(self.store.url), _WRITERS / self.options.rate
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        begin = time.monotonic() + pause * writer / _WRITERS
        for number in range(round(self.options.seconds / pause)):
            time.sleep(max(0.0, begin + number * pause - time.monotonic()))  # the rate
            title = f"write {writer} {number}"
            project = self.projects[(number * _WRITERS + writer) % len(self.projects)]
            body = json.dumps({"title": title})
            headers = {"Authorization": given[plans.user_id(project)], "Content-Type": "application/json"}
            connection.request("POST", f"/api/v1/projects/{plans.project_id(project)}/tasks", body, headers)
            answer = connection.getresponse()
            found = answer.read()
            if answer.status != 201:  # such as a machine that is too busy for its database
                self.written.refused.append(found.decode())
                continue
            self.written.at[title] = time.monotonic()

    def _watch_positions(self) -> None:
        """Note when the log has the position of each event."""
        last = positions.head()
        while not self._ended.wait(_LOOK_SECONDS):
            head, now = positions.head(), time.monotonic()
            if head == last:
                continue
            rows = Event.objects(position__gt=last, position__lte=head, kind="task.created").scalar("subject_id")
            self.written.positioned |= dict.fromkeys(self._titles(list(rows)), now)
            last = head

    def _titles(self, task_ids: list[ObjectId]) -> list[str]:
        return list(Task.objects(id__in=task_ids).scalar("title"))

    def _settle(self) -> None:
        wanted = len(self.written.at) * self.options.watchers
        with suppress(AssertionError):
            eventually(lambda: len(self.written.received) >= wanted, "all messages", seconds=30)
        time.sleep(1)  # for what comes twice

    def _process(self) -> psutil.Process:
        popen = self.store.processes["stream"]._popen
        assert popen
        return psutil.Process(popen.pid)

    def _memory(self) -> int:
        return int(self._process().memory_info().rss)

    def _cpu(self) -> float:
        times = self._process().cpu_times()
        return float(times.user + times.system)

    def _result(self, opened: float, before: int, connected: int, peak: int, cpu: float) -> str:
        written, options = self.written, self.options
        heard = [max(0.0, at - written.at[title]) for title, at in written.received if title in written.at]
        lags = [max(0.0, at - written.at[title]) for title, at in written.positioned.items() if title in written.at]
        count, watchers = Counter(title for title, _ in written.received), options.watchers
        lost = sum(max(0, watchers - count[title]) for title in written.at)
        twice = sum(max(0, number - watchers) for number in count.values())
        seconds = max(written.at.values()) - min(written.at.values())
        lines = [
            *([f"{len(written.refused)} writes were refused, such as {written.refused[0]}"] if written.refused else []),
            f"connections of one process: {options.connections}, {watchers} for each project, opened in {opened:.0f} s",
            f"memory: {peak / 1e6:.0f} MB ({before / 1e6:.0f} MB before, {connected / 1e6:.0f} MB when opened), "
            f"{(peak - before) / options.connections / 1e3:.0f} kB for each connection",
            f"writes: {len(written.at)}, {len(written.at) / seconds:.0f} a second; messages: {len(written.received)}, "
            f"lost {lost}, twice {twice}",
            f"CPU of the process: {cpu:.1f} s, {cpu / seconds:.0%} of a core, "
            f"{cpu / max(1, len(written.received)) * 1000:.2f} ms for each message",
            "",
            "| ms after the commit | p50 | p95 | p99 |",
            "|---|--:|--:|--:|",
            _percentiles("position in the log", lags),
            _percentiles("at the clients", heard),
        ]
        return "\n".join(lines)


def _percentiles(name: str, seconds: list[float]) -> str:
    found = statistics.quantiles(seconds, n=100)
    return f"| {name} | " + " | ".join(f"{found[part - 1] * 1000:.0f}" for part in (50, 95, 99)) + " |"


if __name__ == "__main__":
    main()
