"""Processes of the service with settings that are wrong on purpose: what they say, and how they end."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

from taskmanager.core.configuration.settings import Settings
from taskmanager.embedded import ports
from tests import forked

SECONDS = 90  # for a slow machine: what is waited for comes much sooner

COMMANDS = {
    "web": ["-m", "gunicorn", "-c", "python:config.gunicorn", "wsgi:app"],
    "relay": ["-m", "workers.cli", "relay"],
    "worker": ["-m", "workers.cli", "worker"],
    "scheduler": ["-m", "workers.cli", "scheduler"],
    "rq": ["-m", "rq.cli", "worker", "-c", "workers.settings"],
    "stream": ["-m", "workers.cli", "stream"],
}
ROLES = ("web", "relay", "worker", "scheduler", "rq")  # what tests of all processes start


class Process:
    """One process, whose output is read while it runs."""

    def __init__(self, role: str, settings: Settings, *, as_first: bool = False, **changes: Any) -> None:
        self.port = ports.choose()
        variables, (said, says) = environment(settings, port=self.port, **changes), os.pipe()
        self._popen = forked.start(COMMANDS[role], environment=variables, output=says, as_first=as_first)
        os.close(says)
        self._said = os.fdopen(said)
        self._as_first, self.lines, self._news = as_first, list[str](), threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, words: str) -> None:
        """Wait until a line with these words was printed; fails when the process ends without."""
        with self._news:
            said = self._news.wait_for(lambda: words in self.text or self._popen.poll() is not None, SECONDS)
        assert said and words in self.text, self.text

    def ended(self) -> int:
        """Wait for its end by itself; returns its exit code."""
        code = self._popen.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def terminate(self) -> int:
        """Send SIGTERM and wait for the end; returns its exit code."""
        os.kill(self._pid(), signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """End it, if it has not ended, and close what it was read from."""
        self._popen.kill()
        self._popen.wait()
        self._reader.join(SECONDS)
        self._said.close()

    @property
    def text(self) -> str:
        return "".join(self.lines)

    def _pid(self) -> int:
        if not self._as_first:
            return self._popen.pid
        (child,) = Path(f"/proc/{self._popen.pid}/task/{self._popen.pid}/children").read_text().split()
        return int(child)

    def _read(self) -> None:
        for line in self._said:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()


def environment(settings: Settings, **changes: Any) -> dict[str, str]:
    """The variables of a process with these settings."""
    named = ("mongodb_uri", "queue_url", "cache_url", "mail_url", "data_dir", "bcrypt_cost")
    values = {name: getattr(settings, name) for name in named} | {"web_processes": 1} | changes
    # A failpoint is aimed at an application name: it must not be used up by what another process asks meanwhile.
    values["mongodb_uri"] = values["mongodb_uri"].replace("appName=", "appName=process_")
    ours = {f"TASKMANAGER_{name.upper()}": str(value) for name, value in values.items()}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TASKMANAGER_")}
    return kept | ours | {"PYTHONUNBUFFERED": "1"}


def can_be_first() -> bool:
    """Whether processes can be given a namespace of their own here, as in a container."""
    tool = shutil.which("unshare")
    command = [tool or "false", "--pid", "--fork", "true"]
    return bool(tool) and subprocess.run(command, capture_output=True, check=False).returncode == 0
