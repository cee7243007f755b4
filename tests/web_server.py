"""A real gunicorn on the database and the stores of the tests: another process than the test's own."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from flask import Flask

from taskmanager.core.configuration.settings import Settings
from taskmanager.embedded import ports
from tests import forked

_START_SECONDS = 300  # a process that boots is waited for as long as it lives; this ends one that hangs
_STOP_SECONDS = 30


class WebServer:
    """`gunicorn` with the settings of the tests and some of its own."""

    _command: tuple[str, ...] = ("gunicorn", "-c", "python:config.gunicorn", "wsgi:app")
    _health = "/health/ready"

    def __init__(self, settings: Settings, log: Path, **changes: Any) -> None:
        self.port = _free_port()
        self.url = f"http://{ports.LOCALHOST}:{self.port}"
        self.log = log
        self._environment = _environment(settings, port=self.port, **changes)
        self._process: forked.Started | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start and wait until it is ready, or call `wait` later."""
        with self.log.open("wb") as log:
            words = ["-m", *self._command]
            self._process = forked.start(words, environment=self._environment, output=log, new_session=True)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it is ready."""
        assert self._process
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_ready():
            assert self._process.poll() is None and time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            with suppress(ProcessLookupError):  # nothing is left of its group, as it should be
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def faults(self) -> list[str]:
        """Return the last lines of its log that have a traceback."""
        return [line for line in self.log.read_text().splitlines() if "Traceback" in line][-3:]

    def memory(self) -> int:
        """Return the resident bytes of its processes, without the one that only starts them."""
        assert self._process
        children = psutil.Process(self._process.pid).children(recursive=True)
        return sum(one.memory_info().rss for one in children if not one.children())

    def kill(self) -> None:
        """End it with -9, with its processes."""
        assert self._process
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}{self._health}", timeout=5).ok
        except requests.RequestException:
            return False


class StreamServer(WebServer):
    """The process of the live stream, with the same settings; pages get its address from `stream_url`."""

    _command = ("taskmanager", "stream")
    _health = "/health/live"

    def __init__(self, settings: Settings, log: Path, **changes: Any) -> None:
        super().__init__(settings, log, **changes)
        self._environment["TASKMANAGER_STREAM_PORT"] = str(self.port)


def _free_port() -> int:
    return ports.choose()


def _environment(settings: Settings, **changes: Any) -> dict[str, str]:
    """The variables that make another process use these settings."""
    # A request is logged as a slow one by its time, and this machine may be busy.
    values = settings.model_dump() | {"web_processes": 2, "web_threads": 8} | changes
    # A failpoint is aimed at an application name: it must not be used up by what this server asks meanwhile.
    values["mongodb_uri"] = values["mongodb_uri"].replace("appName=", "appName=gunicorn_")
    ours = {
        f"TASKMANAGER_{name.upper()}": str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in values.items()
        if value not in ("", None) and name not in ("secret_key", "admin_password")
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TASKMANAGER_")}
    return inherited | ours


@pytest.fixture(scope="session")
def server(app: Flask, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One gunicorn of two processes for all tests of this process; its limits are off like those of `app`.

    With SERVICES_APART (`make services-test`) it is a gateway with a gunicorn for each service behind it.
    """
    from tests.gateway import apart, through  # which have servers of this module

    folder = tmp_path_factory.mktemp("gunicorn")
    if os.environ.get("SERVICES_APART"):
        server: Any = apart.Apart(settings, folder, **through.SETTINGS)
    else:
        server = WebServer(settings, folder / "log")
    try:
        server.start()
        yield server
    finally:
        server.stop()
