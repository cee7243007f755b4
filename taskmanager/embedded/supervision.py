"""Runs the processes of one machine under supervisord: starts, restarts and stops them, keeps their logs."""

import shlex
import shutil
import subprocess
import sys
import tempfile
import xmlrpc.client
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from supervisor.xmlrpc import SupervisorTransport

from taskmanager.core.child import wrap
from taskmanager.core.errors import Misconfigured
from taskmanager.embedded import processes

# supervisord stops group after group, last priority first: nothing loses its database while it ends.
_PRIORITY = {"servers": 10, "app": 20}
_MAX_SOCKET_PATH_BYTES = 100
_GONE = (OSError, xmlrpc.client.Error, ValueError)

_PROGRAM = """\
[program:{name}]
command={command}
autostart={autostart}
autorestart=true
startsecs=1
startretries=3
stopwaitsecs={stop_seconds}
killasgroup=true
redirect_stderr=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
environment={environment}
"""

_SUPERVISORD = """\
[supervisord]
nodaemon=true
silent=true
logfile={logs}/supervisord.log
logfile_backups=2
pidfile={run}/supervisord.pid
[unix_http_server]
file={socket}
chmod=0600
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""


@dataclass(frozen=True)
class Program:
    """A process to keep alive. `servers` start at once and stop last, `app` starts when told to."""

    name: str
    command: list[str]
    group: Literal["servers", "app"] = "app"
    stop_seconds: int = 5
    reload: bool = False  # restart when the source changes; the web server watches it itself


class Supervisor:
    """supervisord, as a child that ends with us, driven over a private Unix socket."""

    def __init__(self, programs: Iterable[Program], *, run: Path, logs: Path, root: Path) -> None:
        self.programs = list(programs)
        self.run, self.logs, self.root = run, logs, root
        self._config = run / "supervisord.conf"
        self._private: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def end_orphan(self) -> None:
        """Stop the supervisor of a killed run, and with it everything it keeps alive."""
        pid = processes.recorded(self.run / "supervisord.pid", folder=self.run)
        if pid:
            processes.end(pid, patience=12)

    def start(self, environment: dict[str, str]) -> None:
        """Start supervisord and the servers. All inherit `environment`: no secret is written down."""
        self._config.write_text(self._render())
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)]
        with (self.logs / "supervisord.log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                wrap(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.root,
                env=environment,
                start_new_session=True,  # Ctrl-C reaches us alone, and we stop the rest in order
            )

    def start_app(self) -> None:
        """Start what waits for the servers."""
        self._call("startProcessGroup", "app", False)

    def stop(self) -> None:
        """Stop everything, the app first."""
        if self._process is not None:
            processes.end(self._process.pid, patience=12)
            self._process.wait()
            self._process = None
        if self._private:
            shutil.rmtree(self._private, ignore_errors=True)

    def restart_app(self, *names: str) -> None:
        """Restart these processes, for instance because their source has changed."""
        for name in names:
            with suppress(*_GONE):
                self._call("stopProcess", f"app:{name}")
                self._call("startProcess", f"app:{name}", False)

    def states(self) -> dict[str, str]:
        """Return supervisord's word for each process, such as RUNNING. Raises Misconfigured when it has ended."""
        if self._process is None or self._process.poll() is not None:
            raise Misconfigured(f"The supervisor has ended: see {self.logs / 'supervisord.log'}.")
        try:
            return {info["name"]: info["statename"] for info in self._call("getAllProcessInfo")}
        except _GONE:
            return {}  # it has not opened its socket yet

    def failed(self) -> list[str]:
        """Return processes that supervisord has given up on."""
        return [name for name, state in self.states().items() if state == "FATAL"]

    def revive(self) -> list[str]:
        """Try the failed ones again: what they miss may be back. Names them."""
        names = self.failed()
        groups = {program.name: program.group for program in self.programs}
        for name in names:
            with suppress(*_GONE):
                self._call("startProcess", f"{groups[name]}:{name}", False)
        return names

    def log_of(self, name: str) -> Path:
        """Return where the output of a process goes."""
        return self.logs / f"{name}.log"

    def _call(self, method: str, *arguments: Any) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket()}")
        with xmlrpc.client.ServerProxy("http://localhost", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _socket(self) -> Path:
        """Return in the data folder, unless the system cannot take a path that long."""
        if len(str(self.run)) < _MAX_SOCKET_PATH_BYTES - 20:
            return self.run / "supervisor.sock"
        self._private = self._private or Path(tempfile.mkdtemp(prefix="taskmanager-"))
        return self._private / "supervisor.sock"

    def _render(self) -> str:
        return "\n".join(self._sections())

    def _sections(self) -> Iterator[str]:
        yield _SUPERVISORD.format(logs=_literal(self.logs), run=_literal(self.run), socket=_literal(self._socket()))
        for group, priority in _PRIORITY.items():
            names = ",".join(program.name for program in self.programs if program.group == group)
            if names:
                yield f"[group:{group}]\nprograms={names}\npriority={priority}\n"
        yield from map(self._section, self.programs)

    def _section(self, program: Program) -> str:
        server = program.group == "servers"
        return _PROGRAM.format(
            name=program.name,
            command=_literal(shlex.join(program.command)),
            autostart=str(server).lower(),
            stop_seconds=program.stop_seconds,
            logs=_literal(_literal(self.logs)),  # this one option is expanded twice
            environment='LC_ALL="C"' if server else "",
        )


def _literal(text: object) -> str:
    """Return supervisord replaces %(names)s in values: a percent sign is written twice."""
    return str(text).replace("%", "%%")
