"""Processes of the service, forked from one that has imported it: a start of Python would take a CPU second for that.

Each process of the tests has one server of forks (`python -m tests.forked`), which has imported what the service needs
and configured nothing. A fork gets environment, folder, output and session of its own before it runs its module as
`python -m` does, and ends when the server ends, which ends with its parent. It is the server's child; so the server
tells how it ended.

What Python or the loader of libraries reads at its start cannot be given to a fork: with another LD_PRELOAD or
PYTHONPATH than that of the tests a process is really started, and always for benchmarks, which measure starts, too.
"""

import atexit
import contextlib
import ctypes
import functools
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from taskmanager.core.child import wrap

ROOT = Path(__file__).parents[1]
# Not the modules that are run: Python would run them a second time, as `__main__`.
_IMPORTED = (
    "taskmanager.app",
    "taskmanager.plugins",
    "config.logging",
    "config.settings",
    "config.server_errors",
    "migrations.command",
    "migrations.runner",
    "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread",
    "rq.cli.cli",
    "workers.data_folder",
    "workers.effective_settings",
    "workers.fitness",
    "workers.heartbeat",
    "workers.probe",
    "workers.process",
    "workers.slow_clients",
    "workers.stream_hub",
    "workers.telemetry",
)
_READ_AT_START = ("LD_", "FAKETIME", "PYTHON")
_OF_NO_MATTER = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
_ENVIRONMENT = dict(os.environ)
_LONGEST = 1 << 17  # bytes of a request
_NUMBER = struct.Struct("q")
_PR_SET_PDEATHSIG = 1
_CLONE_NEWPID = 0x20000000
AS_FIRST = ("unshare", "--pid", "--fork", "--kill-child")


class Forked:
    """A fork, as `subprocess.Popen` shows a process."""

    def __init__(self, words: list[str], **options: Any) -> None:
        self.args, self.returncode = words, None
        self._told = _ask(words, **options)
        self.pid = self._read()

    returncode: int | None

    def poll(self) -> int | None:
        """Return its exit status if it has ended, negative for a signal."""
        return self._ended_within(0)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end. Raises TimeoutExpired."""
        if (code := self._ended_within(timeout)) is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _ended_within(self, seconds: float | None) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], seconds)[0]:
            self.returncode = self._read()
            os.close(self._told)
        return self.returncode

    def _read(self) -> int:
        given = os.read(self._told, _NUMBER.size)
        if not given:
            raise RuntimeError("the server of forks has ended")
        return int(_NUMBER.unpack(given)[0])


Started = subprocess.Popen[bytes] | Forked


def start(
    words: list[str],
    *,
    environment: dict[str, str],
    output: int | IO[Any],
    errors: int | IO[Any] | None = None,
    new_session: bool = False,
    as_first: bool = False,
) -> Started:
    """Start `python WORDS` (`-m MODULE …` or `-c CODE`); without `errors` they go where the output goes.

    With `as_first` it has the id 1 in a namespace of its own, as in a container; what is returned is its parent.
    """
    errors = output if errors is None else errors
    in_test = "PYTEST_CURRENT_TEST" in os.environ
    if in_test and hasattr(os, "pidfd_open") and _of_start(environment) == _of_start(_ENVIRONMENT):
        options = {"environment": environment, "new_session": new_session, "as_first": as_first}
        return Forked(words, output=output, errors=errors, **options)
    command = [*AS_FIRST, sys.executable, *words] if as_first else wrap([sys.executable, *words])
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors,
        start_new_session=new_session,
    )  # fmt: skip


def run(
    words: list[str],
    *,
    environment: dict[str, str],
    timeout: float | None = None,
    output: IO[Any] | None = None,
) -> "subprocess.CompletedProcess[str]":
    """Run `python WORDS` to its end; return what it printed, as `subprocess.run` does, unless `output` takes that."""
    (said, says), (told, tells) = os.pipe(), os.pipe()
    with ThreadPoolExecutor(2) as readers, os.fdopen(said) as printed, os.fdopen(told) as warned:
        try:
            process = start(words, environment=environment, output=output or says, errors=tells)
        finally:
            os.close(says)
            os.close(tells)
        texts = [readers.submit(pipe.read) for pipe in (printed, warned)]
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(words, code, *(text.result() for text in texts))


def _of_start(environment: dict[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environment.items()
        if name.startswith(_READ_AT_START) and name not in _OF_NO_MATTER
    }


def _ask(words: list[str], output: int | IO[Any], errors: int | IO[Any], **request: Any) -> int:
    """Ask for a fork; return where its id, and at its end its status, can be read."""
    told, tells = os.pipe()
    try:
        files = [one if isinstance(one, int) else one.fileno() for one in (output, errors)]
        request_bytes = json.dumps(request | {"words": words, "folder": str(ROOT)}).encode()
        socket.send_fds(_server(), [request_bytes], [*files, tells])
    finally:
        os.close(tells)
    return told


@functools.cache
def _server() -> socket.socket:
    """Start the server of this process; return the connection to it, whose end ends it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        process = subprocess.Popen(
            wrap([sys.executable, "-m", "tests.forked", str(its.fileno())], on_orphaned=signal.SIGKILL),
            cwd=ROOT, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            env=_ENVIRONMENT | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(control: socket.socket) -> list[str]:
    """Fork whenever that is asked for; returns in a fork, with the words that it is to run."""
    server, running = os.getpid(), dict[int, tuple[int, int]]()
    events = select.poll()
    events.register(control, select.POLLIN)
    while True:
        for number, _ in events.poll():
            if number != control.fileno():
                events.unregister(number)
                _tell_end(number, *running.pop(number))
                continue
            message, files, *_ = socket.recv_fds(control, _LONGEST, 3)
            if not message:
                os._exit(0)  # the tests have ended, and what still runs ends now
            pid = os.fork()
            if not pid:
                control.close()
                for handle, (_, tells) in running.items():
                    os.close(handle)
                    os.close(tells)
                return _become(json.loads(message), files, server)
            output, errors, tells = files
            os.close(output)
            os.close(errors)
            handle = os.pidfd_open(pid)
            running[handle] = pid, tells
            events.register(handle, select.POLLIN)


def _tell_end(handle: int, pid: int, tells: int) -> None:
    os.close(handle)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with contextlib.suppress(BrokenPipeError):
        os.write(tells, _NUMBER.pack(code))
    os.close(tells)


def _become(request: dict[str, Any], files: list[int], server: int) -> list[str]:
    """Turn this fork into what a start would have made, then say its id."""
    if request["new_session"]:
        os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != server:
        os._exit(1)  # it ended before the signal was set
    output, errors, tells = files
    os.dup2(output, 1)
    os.dup2(errors, 2)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    time.tzset()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.write(tells, _NUMBER.pack(os.getpid()))
    for number in files:
        os.close(number)
    if request["as_first"]:
        _become_first()
    words: list[str] = request["words"]
    return words


def _become_first() -> None:
    """Go on in a child with the id 1; this process waits for its end, and ends it by its own, as `unshare` does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_CLONE_NEWPID):
        os._exit(ctypes.get_errno())
    if child := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os._exit(code if code >= 0 else 128 - code)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _run(words: list[str]) -> None:
    kind, what, *rest = words
    sys.argv = [kind if kind == "-c" else what, *rest]
    if kind == "-c":
        module = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(what, "<string>", "exec"), vars(module))
    else:
        runpy.run_module(what, run_name="__main__", alter_sys=True)


def main() -> None:
    """Import, serve, and in each fork run what was asked for."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the tests end what they have started
    for name in _IMPORTED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    _run(_serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
