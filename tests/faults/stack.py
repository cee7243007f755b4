"""The whole service as real processes that a test can kill, freeze, thaw and restart."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil
import requests
from pydantic import SecretStr

from config.settings import Testing
from taskmanager.core.configuration.settings import Settings, build
from taskmanager.core.events import outbox
from taskmanager.embedded import mail_sink, mongod, ports, processes, valkey
from taskmanager.embedded.server import EmbeddedServer, tail
from taskmanager.features.notifications.delivery import service as deliveries
from tests import faketime, forked

ROOT = forked.ROOT
# How long what must happen is waited for: far beyond what it takes on a machine with other work.
PATIENCE = 120.0
_LONGEST_STOP_SECONDS = 60


class Process:
    """One process of the service, with its output in a file."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name, self.log = name, folder / f"{name}.log"
        self._command, self._environment = command, environment
        self._popen: forked.Started | None = None

    def start(self) -> None:
        """Start it unless it runs."""
        if self.running:
            return
        with self.log.open("ab") as log:
            self._popen = forked.start(self._command, environment=self._environment, output=log)

    def kill(self) -> None:
        """End it with -9, and what it has forked, as when its machine goes down."""
        assert self._popen
        for process in [psutil.Process(self._popen.pid), *_descendants(self._popen.pid)]:
            _signal(process, signal.SIGKILL)
        self._popen.wait()
        self._popen = None

    def terminate(self) -> None:
        """Ask it to end, also when it is frozen."""
        if self._popen and self.running:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.terminate()

    def stop(self) -> int:
        """Ask it to end; answers its exit status, -9 when it did not end by itself."""
        if self._popen is None or not self.running:
            return 0
        self.terminate()
        try:
            status = self._popen.wait(_LONGEST_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return -signal.SIGKILL
        self._popen = None
        return status

    def signal(self, number: signal.Signals) -> None:
        """Freeze it with SIGSTOP, thaw it with SIGCONT."""
        assert self._popen
        self._popen.send_signal(number)

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def crashed(self) -> bool:
        """Whether it has ended though no one stopped it."""
        return self._popen is not None and self._popen.poll() is not None


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)


class Stack:
    """Servers and processes in one folder; nothing of the application runs until it is started."""

    def __init__(self, folder: Path, mongodb: Any = None, **changes: Any) -> None:
        """`mongodb` stands in for the one server that is started otherwise."""
        self.folder, self.mails = folder, folder / "mails"
        self.mongodb = mongodb or mongod.MongodServer(folder / "mongodb")
        self.queue = valkey.ValkeyServer(folder / "queue", role="queue")
        self.cache = valkey.ValkeyServer(folder / "cache", role="cache")
        self.sink = mail_sink.MailSink(folder / "sink", mails=self.mails)
        self.servers: tuple[EmbeddedServer, ...] = (self.mongodb, self.queue, self.cache, self.sink)
        self.processes: dict[str, Process] = {}
        self._clocks: dict[str, int] = {}
        self._ports: dict[str, int] = {}
        self.hook_port, self.hooks = ports.choose(), folder / "hooks.txt"
        self.settings = self._settings(changes)

    @property
    def url(self) -> str:
        return f"http://{ports.LOCALHOST}:{self.settings.port}"

    def start_servers(self) -> None:
        for server in self.servers:
            server.start(timeout=PATIENCE)

    def migrate(self) -> None:
        """Bring the database up to date in a process of its own: this one may be connected to another."""
        forked.run(["-m", "migrations"], environment=self.environment()).check_returncode()

    def start(self, *names: str) -> None:
        """Start processes by their names: `web`, `relay`, `relay-2`, `worker`, `scheduler` …"""
        for name in names:
            if name not in self.processes:
                environment = self.environment() | self._clock_of(name) | self._port_of(name)
                self.processes[name] = Process(name, self._command(name), environment, self.folder)
            self.processes[name].start()

    def set_clock(self, name: str, seconds: int) -> None:
        """Let the process, which is not started yet, see a clock that is so far ahead of this machine's."""
        self._clocks[name] = seconds

    def url_of(self, name: str) -> str:
        """The address of one of several web processes: `web`, `web-2` …"""
        return f"http://{ports.LOCALHOST}:{self._port_of(name).get('TASKMANAGER_PORT', self.settings.port)}"

    def _port_of(self, name: str) -> dict[str, str]:
        if not name.startswith("web-"):
            return {}
        return {"TASKMANAGER_PORT": str(self._ports.setdefault(name, ports.choose()))}

    def _clock_of(self, name: str) -> dict[str, str]:
        seconds = self._clocks.get(name)
        return {} if seconds is None else faketime.ahead(seconds)

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def stop(self) -> None:
        """End everything: the processes by SIGTERM, all at once, the servers by SIGKILL, since their data goes too."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.stop()
        for server in reversed(self.servers):
            server.stop(patience=0)

    def wait(self, condition: Callable[[], Any], what: str) -> float:
        """As `eventually`, but a process that ended by itself fails the test at once, with the end of its log."""

        def settled() -> bool:
            for process in self.processes.values():
                assert not process.crashed, f"{process.name} ended by itself: {tail(process.log)}"
            return bool(condition())

        return eventually(settled, what)

    def delivered(self) -> float:
        """Wait until every event is finished by all its listeners and every delivery is settled; answers how long."""
        pending = lambda: outbox.count_pending() + deliveries.count_pending()  # noqa: E731
        return self.wait(lambda: pending() == 0, "the delivery of every event")

    def mailed(self, subject: str = "") -> Counter[tuple[str, str]]:
        """How often each message (its Message-ID) whose subject begins so was sent to each recipient."""
        return Counter({name: len(times) for name, times in self.mailed_at(subject).items()})

    def mailed_at(self, subject: str = "") -> dict[tuple[str, str], list[float]]:
        """When each message (its Message-ID) whose subject begins so was accepted for each recipient."""
        found: dict[tuple[str, str], list[float]] = {}
        for path in sorted(self.mails.glob("[0-9]*.eml")):
            message = message_from_bytes(path.read_bytes(), policy=policy.default)
            if not str(message["Subject"]).startswith(subject):
                continue
            found.setdefault((str(message["Message-ID"]), str(message["To"])), []).append(accepted_at(path))
        return found

    def recipients(self) -> set[str]:
        return {to for _, to in self.mailed()}

    @property
    def hook_url(self) -> str:
        """Of the receiver of webhooks."""
        return f"http://{ports.LOCALHOST}:{self.hook_port}/"

    def hooked(self, path: str = "/") -> Counter[str]:
        """How often each webhook-id came to the receiver, at paths that begin so."""
        return Counter({name: len(times) for name, times in self.hooked_at(path).items()})

    def hooked_at(self, path: str = "/") -> dict[str, list[float]]:
        """When each webhook-id came to the receiver, at paths that begin so."""
        found: dict[str, list[float]] = {}
        for line in self.hooks.read_text().splitlines() if self.hooks.exists() else ():
            name, at, came_to = line.split()
            if came_to.startswith(path):
                found.setdefault(name, []).append(float(at))
        return found

    def revive(self) -> int:
        """Start again what has ended by itself, as a supervisor does; answers how many that were."""
        crashed = [process for process in self.processes.values() if process.crashed]
        for process in crashed:
            process.start()
        return len(crashed)

    def _command(self, name: str) -> list[str]:
        commands = {
            "web": ["-m", "gunicorn", "-c", "python:config.gunicorn", "wsgi:app"],
            "rq": ["-m", "rq.cli", "worker", "-c", "workers.settings"],
            "hooks": ["-m", "tests.faults.hook_sink", str(self.hook_port), str(self.hooks)],
            "relay": ["-m", "workers.cli", "relay"],
            "worker": ["-m", "workers.cli", "worker"],
            "scheduler": ["-m", "workers.cli", "scheduler"],
            "stream": ["-m", "workers.cli", "stream"],
            "pool": ["-m", "workers.cli", "workers", "--count", "2"],
        }
        return commands[name.split("-")[0]]

    def _settings(self, changes: dict[str, Any]) -> Settings:
        return build(
            Testing,
            **{
                "mongodb_uri": self.mongodb.uri,
                "queue_url": self.queue.uri,
                "cache_url": self.cache.uri,
                "mail_url": self.sink.uri,
                "mail_timeout_seconds": 5,  # what a busy machine accepts too late is sent again
                "data_dir": self.folder,
                "port": ports.choose(),
                "stream_port": ports.choose(),
                "job_silence_seconds": 3,
                "notification_window_seconds": 1,
                "webhook_allow": ports.LOCALHOST,
                "webhook_timeout_seconds": 5,
                "web_processes": 1,
                "web_threads": 8,
                "ratelimit_register": "1000/minute",
                "ratelimit_login_address": "1000/minute",
                **changes,
            },
        )

    def environment(self) -> dict[str, str]:
        """Of every process."""
        given = self.settings.model_dump(mode="json", include=self.settings.model_fields_set - {"environment"})
        secrets = {name: getattr(self.settings, name) for name in given}
        shown = {name: value.get_secret_value() for name, value in secrets.items() if isinstance(value, SecretStr)}
        ours = {f"TASKMANAGER_{name.upper()}": str(value) for name, value in (given | shown).items()}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKMANAGER_")}
        return {**kept, **ours, "TASKMANAGER_ENVIRONMENT": "testing", "PYTHONUNBUFFERED": "1"}


def is_ready(stack: Stack) -> bool:
    """Whether web and stream answer."""
    addresses = (f"{stack.url}/health/ready", f"http://{ports.LOCALHOST}:{stack.settings.stream_port}/health/live")
    with suppress(requests.RequestException):
        return all(requests.get(address, timeout=5).ok for address in addresses)
    return False


class Startable(Protocol):
    """A server of some kind, or several that belong together."""

    def start(self) -> Any: ...

    def stop(self) -> Any: ...


S = TypeVar("S", bound=Startable)


@contextmanager
def running(server: S) -> Iterator[S]:
    """Start a server, and stop it at the end, also one that did not start whole."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def accepted_at(path: Path) -> float:
    """When the mail sink accepted a mail: its name begins with that."""
    moment = datetime.strptime(path.name.split("_")[0], "%Y%m%d-%H%M%S-%f")
    return moment.replace(tzinfo=UTC).timestamp()


def freeze(server: EmbeddedServer) -> None:
    """Let a server hang: it accepts connections and says nothing."""
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)
    eventually(lambda: psutil.Process(server.pid).status() == psutil.STATUS_STOPPED, "the freeze")


def thaw(server: EmbeddedServer) -> None:
    if server.pid and processes.is_running(server.pid):
        os.kill(server.pid, signal.SIGCONT)


def kill(server: EmbeddedServer) -> None:
    """End a server with -9."""
    assert server.pid
    os.kill(server.pid, signal.SIGKILL)
    server.stop()


def eventually(condition: Callable[[], Any], what: str = "it", seconds: float = PATIENCE) -> float:
    """Wait until `condition` holds; answers how long that took. Fails the test when it takes longer."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, f"{what} did not happen within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - started
