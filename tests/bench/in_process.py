"""`make bench-process`: the service beside the limit in one process, by CPU of its thread: half a minute, no gunicorn.

At last it says what logs, metrics and traces cost (`--only telemetry` says only that).

It shows what a change is worth while other programs run: both are called in turn, and only this thread's time counts.
`make bench` measures what users get.
"""

import argparse
import io
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jwt
from flask import Flask

from config import logging
from config.settings import Testing
from migrations import runner
from taskmanager.app import create_app
from taskmanager.core.configuration.settings import build
from taskmanager.core.storage import database
from taskmanager.testing.clients import sign_in
from taskmanager.testing.factories import ProjectFactory, UserFactory
from taskmanager.testing.servers import Servers, of_worker
from tests.bench import telemetry_cost
from tests.bench.compare.servers import UNLIMITED

SECRET = "x" * 40
TASKS = 200
Job = Callable[[Flask], None]


class Requests:
    """The requests of one owner, to either application."""

    def __init__(self, app: Flask, limit: Flask) -> None:
        self.user = UserFactory.create()
        project = ProjectFactory.create(owner=self.user)
        self.path, self.numbers = f"/api/v1/projects/{project.id}/tasks", count()
        client = sign_in(app, self.user)
        token = jwt.encode({"sub": str(self.user.id)}, SECRET, algorithm="HS256")
        self.headers = {app: client.environ_base["HTTP_AUTHORIZATION"], limit: f"Bearer {token}"}
        self.tasks = [f"/api/v1/tasks/{client.post(self.path, json=self.new()).json['id']}" for _ in range(TASKS)]
        self.etags: dict[Flask, str] = {}

    def new(self) -> dict[str, Any]:
        title = f"prepare the review of contract {next(self.numbers)}"
        notes = "about missing invoices of last quarter, for finance"
        return {"title": title, "description": notes, "priority": "high", "assignee_ids": [str(self.user.id)]}

    def jobs(self) -> dict[str, Job]:
        """Return what is measured, by its name."""
        listed = "limit=50&sort=-updated_at"
        return {
            "list 50": lambda app: self.send(app, 200, self.path, query=listed),
            "one task": lambda app: self.send(app, 200, self.one()),
            "304 one task": lambda app: self.send(app, 304, self.tasks[0], HTTP_IF_NONE_MATCH='"1"'),
            "304 list": lambda app: self.send(app, 304, self.path, query=listed, HTTP_IF_NONE_MATCH=self.etags[app]),
            "post": lambda app: self.send(app, 201, self.path, "POST", self.new()),
            "patch": lambda app: self.send(app, 200, self.one(), "PATCH", self.change(), HTTP_IF_MATCH="*"),
        }

    def one(self) -> str:
        return self.tasks[1 + next(self.numbers) % (TASKS - 1)]

    def change(self) -> dict[str, Any]:
        number = next(self.numbers)
        return {"title": f"another title {number}", "priority": ("low", "high")[number % 2]}

    def send(
        self, app: Flask, status: int, path: str, method: str = "GET", body: Any = None, query: str = "", **more: str
    ) -> None:
        """Send one request. Raises AssertionError for another status."""
        raw = b"" if body is None else json.dumps(body).encode()
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, **more}
        environ |= {"QUERY_STRING": query, "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1"}
        environ |= {"HTTP_HOST": "127.0.0.1", "HTTP_AUTHORIZATION": self.headers[app], "SERVER_PROTOCOL": "HTTP/1.1"}
        environ |= {"wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(raw), "wsgi.errors": sys.stderr}
        if body is not None:
            environ |= {"CONTENT_LENGTH": str(len(raw)), "CONTENT_TYPE": "application/json"}

        def start(found: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], object]:
            assert found.startswith(str(status)), f"{method} {path}: {found}"
            self.etags[app] = dict(headers).get("ETag", "")
            return lambda data: None

        answer = app(environ, start)
        b"".join(answer)
        if hasattr(answer, "close"):
            answer.close()


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description="The service beside the limit, in one process")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="only requests whose name contains this, or telemetry")
    options = parser.parse_args()
    servers = Servers()
    try:
        with tempfile.TemporaryDirectory() as folder:
            limits = {"ratelimit_enabled": True, "ratelimit_default": UNLIMITED}
            settings = build(Testing, **of_worker(servers.start(), "bench"), data_dir=Path(folder), **limits)
            report = os.fdopen(os.dup(1), "w")
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where the log goes
            logging.configure(settings)
            telemetry_cost.share_files()
            app = create_app(settings)
            runner.run(database.database())
            requests = Requests(app, limit := _limit(settings.mongodb_uri))
            if options.only != "telemetry":
                print(*measure(app, limit, requests, options), sep="\n", file=report, flush=True)
            lines = telemetry_cost.measure(lambda app: requests.send(app, 200, requests.one()), app)
            print(*lines, sep="\n", file=report, flush=True)
    finally:
        servers.stop()


def _limit(uri: str) -> Flask:
    with patch.dict(os.environ, {"BENCH_SECRET": SECRET, "BENCH_MONGODB": uri}):
        from tests.bench.peers.limit import app
    return app


def measure(app: Flask, limit: Flask, requests: Requests, options: argparse.Namespace) -> list[str]:
    """Return a line for each request: microseconds of both, and the ratio with its spread."""
    lines = []
    for name, job in requests.jobs().items():
        if options.only in name:
            rounds = [[_time(requests, job, each) for each in (app, limit)] for _ in range(options.rounds + 1)][1:]
            ratios = sorted(ours / theirs for ours, theirs in rounds)
            ours, theirs = (statistics.median(times) for times in zip(*rounds, strict=True))
            spread = f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
            lines.append(f"{name:14} {ours:6.0f} µs  limit {theirs:6.0f} µs  {spread}")
    return lines


def _time(requests: Requests, job: Job, app: Flask, number: int = 40) -> float:
    requests.send(app, 200, requests.path, query="limit=50&sort=-updated_at")  # for its ETag
    begun = time.thread_time()
    for _ in range(number):
        job(app)
    return (time.thread_time() - begun) / number * 1e6


if __name__ == "__main__":
    main()
