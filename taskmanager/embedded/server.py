"""The base of the embedded servers: a folder, a port, a command line, start and stop."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from taskmanager.core.child import wrap
from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import ports, processes


class EmbeddedServer:
    """A server program on 127.0.0.1 that stores everything in one folder.

    Start it from the main thread, because on Linux it ends with the thread that has started it.
    """

    title = "server"
    pid_file = "server.pid"

    def __init__(self, data_dir: str | Path, port: int | None = None) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.port = port or ports.noted(self.data_dir / "port")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Return the URI for clients."""
        raise NotImplementedError

    @property
    def command(self) -> list[str]:
        """Return the command line, for a supervisor or for `start`."""
        raise NotImplementedError

    @property
    def guarded(self) -> list[str]:
        """Return the command line under a guard that kills the server with its parent: a hung one ignores SIGTERM."""
        return wrap(self.command, on_orphaned=signal.SIGKILL)

    @property
    def log(self) -> Path:
        """Return the file that `start` redirects the output to."""
        return self.data_dir / "server.log"

    @property
    def pid(self) -> int | None:
        """Return the id of the process that `start` has started; None when there is none."""
        return self._process.pid if self._process else None

    def answers(self) -> bool:
        """Return whether the server serves requests."""
        raise NotImplementedError

    def start(self, *, timeout: float = 30.0) -> None:
        """Start the server and wait until it serves requests. Raises Misconfigured after `timeout` seconds."""
        self._refuse_second()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                self.guarded, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
            )
        try:
            self.wait_ready(timeout)
        except BaseException:
            self.stop()
            raise

    def stop(self, *, patience: float = 10.0) -> None:
        """Stop the process of `start` by SIGTERM, and by SIGKILL after `patience` seconds. Safe to repeat."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def wait_ready(self, timeout: float = 30.0) -> None:
        """Return once the server serves requests. Raises Misconfigured with the end of its log."""
        self._wait_for(self.answers, timeout)

    def orphan(self) -> int | None:
        """Return the id of a process of an earlier run that still uses this folder; None when there is none."""
        return processes.recorded(self.data_dir / self.pid_file, folder=self.data_dir)

    def end_orphan(self) -> None:
        """Stop the process that a killed run has left behind. The caller must own the data folder."""
        pid = self.orphan()
        if pid:
            processes.end(pid)

    def _refuse_second(self) -> None:
        """Raise Misconfigured when another server runs: it would respond on this port, and ours would end unnoticed."""
        pid = self.orphan()
        if pid:
            raise Misconfigured(f"{self.title} already serves {self.data_dir}: stop it with 'kill {pid}'.")
        if not ports.is_free(self.port):
            raise Misconfigured(f"{self.title} cannot use port {self.port}: another program listens there.")

    def _wait_for(self, condition: Callable[[], bool], timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not condition():
            if self._ended() or time.monotonic() > deadline:
                raise Misconfigured(f"{self.title} did not start on port {self.port}. {tail(self.log)}".strip())
            time.sleep(0.03)

    def _ended(self) -> bool:
        return self._process is not None and self._process.poll() is not None


def environment() -> dict[str, str]:
    """Return the environment for a server with the locale C: mongod does not start with one that is not installed."""
    return {**os.environ, "LC_ALL": "C"}


_INFORMATION = '"s":"I"'  # the severity of MongoDB's log lines that never contain the reason of a failure


def tail(log: Path, lines: int = 8) -> str:
    """Return the last relevant lines of a log; empty when there are none."""
    with suppress(OSError):
        text = log.read_bytes()[-64_000:].decode(errors="replace")
        end = [line for line in text.splitlines() if _INFORMATION not in line][-lines:]
        return "\n".join([f"The end of {log}:", *end]) if end else ""
    return ""
