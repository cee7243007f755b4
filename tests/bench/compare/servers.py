"""The servers that are compared: ours as it is deployed, and the peers, each with two processes."""

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
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
from tests.faults.stack import ROOT

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
    for name, command in _commands().items():
        if name not in wanted:
            continue
        if not Path(command[0]).exists():
            print(f"{name} is not run: {command[0]} is not installed (make bench-peers)", flush=True)
            continue
        port = ports.choose()
        environment = {
            **os.environ,
            "BENCH_MONGODB": store.settings.mongodb_uri,
            "BENCH_SECRET": SECRET,
            "BENCH_CACHE": store.settings.cache_url,
            "BENCH_PORT": str(port),
            "NODE_PATH": str(CACHE / "node_modules"),
            "PYTHONPATH": str(ROOT),
        }
        full = [part.format(port=port) for part in command]
        if alike and name in ALIKE:
            name, environment = f"{name}+", environment | {"BENCH_ALIKE": "1"}
        server = Server(name, full, environment, port, "/", store.folder / f"{name}.log")
        server.tokens = {
            person.name: jwt.encode({"sub": str(person.id)}, SECRET, algorithm="HS256") for person in store.plan.people
        }
        yield server


def _commands() -> dict[str, list[str]]:
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
