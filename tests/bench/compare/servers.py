"""The servers that are compared: ours as it is deployed, and the peers, each with two processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import jwt
import orjson
import psutil

from taskmanager.core.child import wrap
from taskmanager.embedded import ports
from taskmanager.testing.factories.things import PASSWORD
from tests.bench.compare.client import Connection, Request
from tests.bench.seeding.seed import email_of
from tests.bench.seeding.store import FOLDER, Store
from tests.faults.stack import ROOT, Stack

SECRET = "a secret of the benchmark, of no use elsewhere"
PEERS = ROOT / "tests" / "bench" / "peers"
CACHE = FOLDER / "peers"
PROCESSES, THREADS = 2, 8
ALIKE = ("express", "fastapi")
_START_SECONDS = 120
UNLIMITED = "100000000/minute"  # the limits count, and never refuse


@dataclass
class Server:
    """One of those that are compared."""

    name: str
    command: list[str]
    environment: dict[str, str]
    port: int
    ready: str
    log: Path
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        """Start it and wait until it answers. Raises RuntimeError with the end of its log."""
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                wrap(self.command), cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until = time.monotonic() + _START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{self.name} did not start: {self.log.read_text()[-2000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()

    def _answers(self) -> bool:
        connection = HTTPConnection(ports.LOCALHOST, self.port, timeout=5)
        try:
            connection.request("GET", self.ready)
            return connection.getresponse().status > 0
        except OSError:
            return False
        finally:
            connection.close()

    def processes(self) -> list[psutil.Process]:
        """Return its processes: the one that was started and all that it has forked."""
        assert self.process
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def send(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        with Connection(self.port) as connection:
            return connection.send(request.encoded(self.port, self.tokens.get(request.person, "")))


def ours(store: Store) -> Server:
    """The service as `make run` starts it: all limits are on, and so high that they never refuse."""
    environment = store.environment()
    command = [sys.executable, "-m", "gunicorn", "-c", "python:config.gunicorn", "wsgi:app"]
    port = store.settings.port
    return Server("ours", command, environment, port, "/health/ready", store.folder / "ours.log")


def log_in(server: Server, names: Iterable[str]) -> None:
    """Log seeded accounts in at our server."""
    for name in names:
        body = {"email": email_of(name), "password": PASSWORD}
        status, _, answer = server.send(Request("POST", "/api/v1/auth/login", body=body))
        assert status == 200, answer
        server.tokens[name] = orjson.loads(answer)["access_token"]


def peers(store: Store, wanted: list[str], *, alike: bool = False) -> Iterator[Server]:
    """Yield the peers that are wanted and installed; prints those that are not.

    `alike`: those that can look the user up and count the request do so, and have a plus behind their names.
    """
    for name, command in commands().items():
        if name not in wanted:
            continue
        if not Path(command[0]).exists():
            print(f"{name} is not run: {command[0]} is not installed (make bench-peers)", flush=True)
            continue
        environment = {"BENCH_ALIKE": "1"} if alike and name in ALIKE else {}
        server = peer(f"{name}+" if environment else name, command, store, environment)
        server.tokens = {person.name: token_of(str(person.id)) for person in store.plan.people}
        yield server


def peer(name: str, command: list[str], stack: Stack, environment: Mapping[str, str] | None = None) -> Server:
    """Return a peer, not started, on the servers of a stack."""
    port = ports.choose()
    full = {
        **os.environ,
        "BENCH_MONGODB": stack.settings.mongodb_uri,
        "BENCH_SECRET": SECRET,
        "BENCH_CACHE": stack.settings.cache_url,
        "BENCH_PORT": str(port),
        "NODE_PATH": str(CACHE / "node_modules"),
        "PYTHONPATH": str(ROOT),
        **(environment or {}),
    }
    arguments = [part.format(port=port) for part in command]
    return Server(name, arguments, full, port, "/", stack.folder / f"{name}.log")


def token_of(user_id: str) -> str:
    """Return a token that the peers accept."""
    return jwt.encode({"sub": user_id}, SECRET, algorithm="HS256")


def commands() -> dict[str, list[str]]:
    """Return the command of each peer, with `{port}` in it."""
    own = str(Path(sys.executable))
    options = ["--workers", str(PROCESSES), "--threads", str(THREADS), "--bind", f"{ports.LOCALHOST}:{{port}}"]
    gunicorn = ["-m", "gunicorn", "--worker-class", "gthread", "--no-control-socket", *options]
    uvicorn = ["-m", "uvicorn", "--workers", str(PROCESSES), "--port", "{port}", "--no-access-log"]
    return {
        "limit": [own, *gunicorn, "tests.bench.peers.limit:app"],
        "naive": [own, *gunicorn, "tests.bench.peers.naive:app"],
        "eve": [str(CACHE / "eve/bin/python"), *gunicorn, "tests.bench.peers.eve_app:app"],
        "express": [_node(), str(PEERS / "express" / "server.js")],
        "fastapi": [str(CACHE / "fastapi/bin/python"), *uvicorn, "tests.bench.peers.fastapi_app:app"],
    }


def _node() -> str:
    found = [Path(folder) / "node" for folder in os.environ.get("PATH", "").split(os.pathsep)]
    installed = (CACHE / "node_modules" / "express").exists()
    return str(next((path for path in found if installed and path.exists()), Path("node")))
