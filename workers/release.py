"""`taskmanager release`: replaces the running web processes of this machine by those of this installation.

Blue is what runs, green is what replaces it, and the names change places at each release. Each listens on a socket of
its own, and NGINX connects to `web.sock`, a symbolic link to one of the two: replacing the link by a rename is the
switch. No connection is refused at any moment, and NGINX need not be reloaded.
"""

import fcntl
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import orjson
import psutil

import taskmanager
from migrations import command as migrations
from taskmanager.core.configuration import service_groups
from taskmanager.core.configuration.settings import Settings
from taskmanager.core.errors import Misconfigured
from workers import unix_http

COLOURS = ("blue", "green")
_STOP_SECONDS = 30  # gunicorn gives its requests eight
_POLL_SECONDS = 0.1
Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """How a release is done. Commands may contain `{colour}` and `{socket}`, and succeed with exit code 0.

    `check` runs before the switch, `verify` after it. `start` and `stop` are for a supervisor, such as systemd.
    """

    folder: Path
    drain_seconds: float
    check: str = ""
    verify: str = ""
    start: str = ""
    stop: str = ""


def release(settings: Settings, plan: Plan, say: Say) -> None:
    """Start this release, switch to it when it is ready, and stop the one before.

    Raises Misconfigured when it cannot; then the one before goes on, and nothing of this one is left.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with _locked(plan.folder):
        blue = current(plan.folder)
        green = COLOURS[1] if blue == COLOURS[0] else COLOURS[0]
        for line in migrations.expand_for_release(settings, shared=blue is not None):
            say(line)
        WebColour(green, plan).stop()  # what a release that was killed has left
        _switch(WebColour(green, plan), WebColour(blue, plan) if blue else None, settings, say)
        say(f"Released {taskmanager.__version__} as {green}.")
        for name in migrations.left_for_later(settings):
            say(f"Run `taskmanager migrate` when no process of the former release is left: {name}.")


def current(folder: Path) -> str | None:
    """Return the colour that the link leads to; None before the first release."""
    with suppress(OSError):
        colour = (folder / "web.sock").readlink().stem
        return colour if colour in COLOURS else None
    return None


def _switch(green: "WebColour", blue: "WebColour | None", settings: Settings, say: Say) -> None:
    try:
        green.start()
        green.wait(settings.start_seconds)
        say(f"{green.colour} is ready.")
        _smoke_test(green, settings)
        green.run(green.plan.check, "the check")
        green.link()
        green.run(green.plan.verify, "the verification")
    except BaseException:
        if blue and green.is_linked:
            blue.link()
            say(f"Back to {blue.colour}; {green.colour} ends in {green.plan.drain_seconds:g} s.")
            time.sleep(green.plan.drain_seconds)
        green.stop()
        raise
    if blue:
        say(f"Switched; {blue.colour} ends in {green.plan.drain_seconds:g} s.")
        time.sleep(green.plan.drain_seconds)
        blue.stop()


class WebColour:
    """The web processes of one colour."""

    def __init__(self, colour: str, plan: Plan) -> None:
        self.colour, self.plan = colour, plan
        self.socket = plan.folder / f"{colour}.sock"
        self.is_linked = False
        self._note = plan.folder / f"{colour}.json"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the web processes, by themselves or by the command for it."""
        self.socket.unlink(missing_ok=True)
        if self.plan.start:
            self.run(self.plan.start, "the command that starts it")
            return
        environment = os.environ | {"TASKMANAGER_SOCKET": str(self.socket)}
        with (self.plan.folder / f"{self.colour}.log").open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "workers.cli", "web"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started = psutil.Process(self._child.pid).create_time()
        self._note.write_bytes(orjson.dumps({"pid": self._child.pid, "started": started}))

    def wait(self, seconds: float) -> None:
        """Wait until it is ready. Raises Misconfigured when it has ended, or is not ready in time."""
        deadline, problem = time.monotonic() + seconds, "does not listen"
        while time.monotonic() < deadline:
            with suppress(OSError):
                status, body = unix_http.get(self.socket, "/health/ready")
                if status == 200:
                    return
                problem = " ".join(orjson.loads(body).get("problems", [])) or f"responds with {status}"
            if self._child and self._child.poll() is not None:
                raise Misconfigured(f"The new release ended: see {self.plan.folder / f'{self.colour}.log'}.")
            time.sleep(_POLL_SECONDS)
        raise Misconfigured(f"The new release is not ready after {seconds:g} s: {problem}.")

    def link(self) -> None:
        """Make the link lead here, in one step."""
        draft = self.plan.folder / f"web.sock.{self.colour}"
        draft.unlink(missing_ok=True)
        draft.symlink_to(self.socket.name)
        draft.replace(self.plan.folder / "web.sock")
        self.is_linked = True

    def run(self, line: str, what: str) -> None:
        """Run a command of the plan, if there is one. Raises Misconfigured when it fails."""
        if not line:
            return
        words = [word.format(colour=self.colour, socket=self.socket) for word in shlex.split(line)]
        try:
            ran = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)  # noqa: S603 the operator's own command
        except OSError as error:
            raise Misconfigured(f"{what} cannot be run: {error.strerror}.") from None
        if ran.returncode:
            raise Misconfigured(f"{what} failed with exit code {ran.returncode}: {ran.stderr.strip()[-500:]}")

    def stop(self) -> None:
        """Let the processes finish their requests and end; do nothing when none run."""
        if self.plan.stop:
            self.run(self.plan.stop, "the command that stops it")
            return
        process = self._running()
        if process is not None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except psutil.TimeoutExpired:
                for child in [*process.children(recursive=True), process]:
                    child.kill()
        self._note.unlink(missing_ok=True)

    def _running(self) -> psutil.Process | None:
        """Return the process that was noted; None when it has ended, also when another one has its number now."""
        try:
            noted = orjson.loads(self._note.read_bytes())
            process = psutil.Process(noted["pid"])
            return process if process.create_time() == noted["started"] else None
        except (OSError, ValueError, KeyError, psutil.NoSuchProcess):
            return None


def _smoke_test(side: WebColour, settings: Settings) -> None:
    """Raise Misconfigured unless the new processes work for the right services and can serve what every one serves."""
    expected = {
        "/health/live": service_groups.in_order(settings.own_services),
        "/api/v1/openapi.json": taskmanager.__version__,
        "/.well-known/jwks.json": True,
    }
    found: dict[str, object] = {}
    for path in expected:
        status, body = unix_http.get(side.socket, path)
        if status != 200:
            raise Misconfigured(f"The new release responds to {path} with {status}.")
        value = orjson.loads(body)
        found[path] = value.get("services") or value.get("info", {}).get("version") or bool(value["keys"])
    if found != expected:
        raise Misconfigured(f"The new release is another one than this: {found}, and not {expected}.")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = os.open(folder / "release.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Misconfigured(f"Another release is under way in {folder}.") from None
    finally:
        os.close(lock)
